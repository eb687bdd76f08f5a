//! Panics whose payload is an error.

use std::{
    fmt,
    panic::{panic_any, resume_unwind},
};

use axum::{Router, routing::get};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Mechanism, Panic, Raise, Reply, catch,
    catch_sync, config::Configured,
};

use crate::{
    shop::{ShopError, disk, shop, sold_out, taken},
    support::{BoxError, PLAIN_500, PROTOCOLS, SECRET_TEXT, Server, observed},
};

/// An error whose `Drop` panics, unless the thread unwinds.
#[derive(Debug)]
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bomb")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{SECRET_TEXT}");
        }
    }
}

fn routes() -> Router {
    Router::new()
        .route("/own", get(async || -> () { panic_any(sold_out()) }))
        .route(
            "/declined",
            get(async || -> () { panic_any(ShopError::OnFire) }),
        )
        .route(
            "/resumed",
            get(async || -> () { resume_unwind(Box::new(sold_out())) }),
        )
        .route(
            "/anyhow",
            get(async || -> () { resume_unwind(Box::new(anyhow::Error::new(sold_out()))) }),
        )
        .route(
            "/context",
            get(async || -> () {
                resume_unwind(Box::new(anyhow::Error::new(sold_out()).context("a")))
            }),
        )
        .route(
            "/eyre",
            get(async || -> () { panic_any(eyre::Report::new(sold_out())) }),
        )
        .route(
            "/boxed",
            get(async || -> () { panic_any(BoxError::from(sold_out())) }),
        )
        .route(
            "/error",
            get(async || -> () { panic_any(Error::from(sold_out())) }),
        )
        .route("/exception", get(async || -> () { panic_any(taken()) }))
        .route(
            "/unknown",
            get(async || -> () { panic_any(std::fmt::Error) }),
        )
        .route("/number", get(async || -> () { panic_any(7) }))
        .route("/bomb", get(async || -> () { panic_any(Bomb) }))
        .route(
            "/task",
            get(async || -> Result<(), Error> {
                Ok(tokio::spawn(async { panic_any(sold_out()) }).await?)
            }),
        )
}

const GONE: &str =
    r#"410 | content-length: 27 | content-type: application/json | {"detail":"no plumbus left"}"#;
const TAKEN: &str =
    r#"409 | content-length: 18 | content-type: application/json | {"detail":"taken"}"#;

// E9
#[tokio::test]
async fn a_panic_whose_payload_is_an_error_reaches_the_handler_of_its_type() {
    let (layer, mut reports) = observed(shop());
    let apps = [
        routes().layer(layer.clone()),
        routes().layer(ExceptionLayer::new()).layer(layer.clone()),
        // The inner layer has handlers for another type.
        routes()
            .layer(ExceptionLayer::new().on(|_: Caught<fmt::Error>| Reply::decline()))
            .layer(layer),
    ];
    let gone = GONE.replace("27", "28");
    for app in apps {
        let server = Server::start_axum(app).await;
        for protocol in PROTOCOLS {
            for (path, response, report) in [
                (
                    "/own",
                    &*gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
                (
                    "/declined",
                    PLAIN_500,
                    "Raised Future Status(500): the shop is on fire",
                ),
                (
                    "/resumed",
                    &gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
                (
                    "/anyhow",
                    &gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
                ("/context", &gone, "Raised Future Status(410): a"),
                (
                    "/eyre",
                    &gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
                (
                    "/boxed",
                    &gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
                (
                    "/error",
                    &gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
                ("/exception", TAKEN, "Raised Future Status(409): 409: taken"),
                (
                    "/number",
                    PLAIN_500,
                    "Panicked Future Status(500): panicked",
                ),
                ("/bomb", PLAIN_500, "Panicked Future Status(500): panicked"),
                (
                    "/task",
                    &gone,
                    "Raised Future Status(410): plumbus is sold out",
                ),
            ] {
                let mut client = server.connect(protocol).await;
                assert_eq!(client.get(path).await, response, "{path}");
                let got: Vec<_> = reports.take().iter().map(ToString::to_string).collect();
                let got = got.join("; ");
                assert_eq!(got, report, "{path}");
            }
        }
    }
}

// E9
#[tokio::test]
async fn a_panic_whose_payload_is_an_error_is_a_panic_without_a_handler_for_it() {
    let (configured, mut reports) = observed(ExceptionLayer::new());
    for server in [
        Server::start_axum(routes().layer(ExceptionLayer::new())).await,
        Server::start_axum(routes().layer(configured)).await,
    ] {
        for path in ["/own", "/resumed", "/unknown", "/number", "/bomb"] {
            assert_eq!(server.get(path).await.to_string(), PLAIN_500, "{path}");
        }
    }
    assert_eq!(reports.take(), ["Panicked Future Status(500): panicked"; 5]);
}

// E9
#[tokio::test]
async fn a_payload_whose_drop_panics_may_have_a_handler() {
    let layers: [ExceptionLayer<Configured>; 4] = [
        ExceptionLayer::new().on(|_: Caught<Bomb>| taken()),
        ExceptionLayer::new()
            .on(|_: Caught<Bomb>| Reply::decline())
            .on_any(|_: Caught| taken()),
        ExceptionLayer::new().on(async |_: Caught<Bomb>| taken()),
        ExceptionLayer::new().on_panic(|_: Caught<Panic>| taken()),
    ];
    for layer in layers {
        let server = Server::start_axum(routes().layer(layer)).await;
        for protocol in PROTOCOLS {
            assert_eq!(server.connect(protocol).await.get("/bomb").await, TAKEN);
        }
        assert_eq!(server.panics(), 0);
    }
}

// E9
#[tokio::test]
async fn an_error_that_a_panic_carries_counts_as_raised() {
    let layer = ExceptionLayer::new().on(|error: Caught<ShopError>| {
        assert_eq!(error.mechanism(), Mechanism::Raised);
        assert!(error.outermost().is::<ShopError>());
        HttpException::gone(error.to_string())
    });
    let server = Server::start_axum(routes().layer(layer)).await;
    server
        .get("/own")
        .await
        .assert_detail(410, "plumbus is sold out");
}

#[tokio::test]
async fn catch_returns_an_error_by_its_type_and_lets_a_panic_pass() {
    fn raises(depth: u8) -> u8 {
        match depth {
            0 => sold_out().raise(),
            _ => raises(depth - 1),
        }
    }
    let error = catch_sync(|| raises(3)).unwrap_err();
    assert!(matches!(
        error.downcast(),
        Ok(ShopError::SoldOut("plumbus"))
    ));
    let error = catch(async { raises(3) }).await.unwrap_err();
    assert!(error.is::<ShopError>());
    let error = catch(sold_out().raise_async::<()>()).await.unwrap_err();
    assert!(error.is::<ShopError>());
    let error = catch_sync(|| -> u8 { anyhow::Error::new(sold_out()).context("a").raise() });
    assert!(error.unwrap_err().is::<ShopError>());
    let error = catch_sync(|| -> u8 { taken().raise() }).unwrap_err();
    assert_eq!(error.downcast::<HttpException>().unwrap().status(), 409);

    // An inner `catch` takes what is raised in it, and only that.
    let nested = catch_sync(|| {
        let inner = catch_sync(|| raises(1)).unwrap_err();
        assert!(inner.is::<ShopError>());
        disk().raise()
    });
    let nested: Result<(), _> = nested;
    assert!(nested.unwrap_err().is::<std::io::Error>());
    let again = catch(async {
        let inner = catch(async { raises(1) }).await.unwrap_err();
        inner.raise_async::<()>().await
    });
    assert!(again.await.unwrap_err().is::<ShopError>());

    crate::support::panic_hook_runs();
    let panic = std::panic::catch_unwind(|| catch_sync(|| panic!("{SECRET_TEXT}")).map(|()| 1));
    assert!(panic.unwrap_err().is::<String>());
    let panic = tokio::spawn(catch(async { panic!("{SECRET_TEXT}") })).await;
    assert!(panic.unwrap_err().is_panic());
}

#[tokio::test]
async fn an_error_raised_in_a_catch_inside_of_a_request_goes_no_further() {
    let caught = async || {
        let error = catch_sync(|| -> () { sold_out().raise() }).unwrap_err();
        let later = catch(disk().raise_async::<()>()).await.unwrap_err();
        format!("{error}, {}", later.is::<std::io::Error>())
    };
    let raised_again = async || -> () {
        catch_sync(|| -> () { sold_out().raise() })
            .unwrap_err()
            .raise()
    };
    let app = Router::new()
        .route("/caught", get(caught))
        .route("/again", get(raised_again));
    let (layer, mut reports) = observed(shop());
    let server = Server::start_axum(app.layer(layer)).await;
    let received = server.get("/caught").await;
    assert_eq!(received.text(), "plumbus is sold out, true");
    reports.assert_none();
    server
        .get("/again")
        .await
        .assert_detail(410, "no plumbus left");
    assert_eq!(reports.take().len(), 1);
}
