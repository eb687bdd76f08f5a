//! Handlers that decline, and the order in which several are asked.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::{Router, response::Response, routing::get};
use http::{HeaderValue, StatusCode};
use tokio::task::yield_now;
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Panic, Reply, Result, config::Configured,
};

use crate::{
    shop::{OrderError, ShopError, disk, elapsed, returning, sold_out, text},
    support::{PLAIN_500, PLAIN_504, PROTOCOLS, SECRET_TEXT, Server, observed},
};

/// The names of the handlers that were asked, in order.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<&'static str>>>);

impl Asked {
    fn note(&self, name: &'static str) {
        self.0.lock().unwrap().push(name);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn taken() -> HttpException {
    HttpException::conflict("taken")
        .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("1"))
}

fn routes() -> Router {
    Router::new()
        .route("/own", returning(sold_out))
        .route("/source", returning(|| ShopError::Disk(disk())))
        .route("/taken", returning(taken))
        .route("/deep", returning(|| OrderError(taken().into())))
        .route("/late", returning(elapsed))
        .route("/panic", get(async || -> () { panic!("{SECRET_TEXT}") }))
        .route(
            "/converted",
            get(async || -> Response { Response::from(taken()) }),
        )
}

// E14
#[tokio::test]
async fn a_handler_that_declines_leaves_the_failure_to_the_next_one() {
    let names = Asked::default();
    let note = |name| {
        let asked = names.clone();
        move || asked.note(name)
    };
    let (any, first, panic) = (note("any"), note("first"), note("panic"));
    let (io, second, third, fourth) = (note("io"), note("2"), note("3"), note("4"));
    let layer = ExceptionLayer::new()
        .on_any(move |_: Caught| any())
        .on_status(500..=599, {
            let status = note("500");
            move |_: Caught<HttpException>| status()
        })
        .on(move |_: Caught<ShopError>| {
            first();
            StatusCode::GONE
        })
        .on(move |_: Caught<ShopError>| {
            second();
            let declined: Result<(), HttpException> = Ok(());
            declined
        })
        .on(move |_: Caught<ShopError>| {
            let third = third.clone();
            async move {
                third();
                yield_now().await;
                Reply::decline()
            }
        })
        .on(move |_: Caught<ShopError>| {
            fourth();
            async {}
        })
        .on(move |_: Caught<io::Error>| io())
        .on_panic(move |_: Caught<Panic>| {
            panic();
            Reply::decline()
        });
    let server = Server::start_axum(routes().layer(layer)).await;
    let gone = r#"410 | content-length: 17 | content-type: application/json | {"detail":"Gone"}"#;
    let taken = "409 | content-length: 18 | content-type: application/json | retry-after: 1 | \
                 {\"detail\":\"taken\"}";
    for protocol in PROTOCOLS {
        for (path, response, expected) in [
            ("/own", gone, &["4", "3", "2", "first"][..]),
            ("/source", gone, &["4", "3", "2", "first"]),
            ("/panic", PLAIN_500, &["panic", "500", "any"]),
            ("/late", PLAIN_504, &["500", "any"]),
            ("/taken", taken, &["any"]),
            ("/deep", taken, &["any"]),
            ("/converted", taken, &["any"]),
        ] {
            let mut client = server.connect(protocol).await;
            assert_eq!(client.get(path).await, response, "{path}");
            assert_eq!(names.take(), expected, "{path}");
        }
    }
}

// E14
#[tokio::test]
async fn a_handler_that_returns_nothing_does_not_answer() {
    fn nothing(_: Caught<ShopError>) {}
    async fn nothing_later(_: Caught<ShopError>) {
        yield_now().await;
    }
    fn fails(_: Caught<ShopError>) -> Result<(), HttpException> {
        Err(HttpException::gone("sold out"))
    }
    async fn fails_later(_: Caught<ShopError>) -> Result<()> {
        yield_now().await;
        Err(HttpException::gone("sold out").into())
    }
    for layer in [
        ExceptionLayer::new().on(nothing),
        ExceptionLayer::new().on(nothing_later),
        ExceptionLayer::new().on(nothing).on(nothing_later),
        ExceptionLayer::new().on(|_: Caught<ShopError>| Ok::<(), HttpException>(())),
        ExceptionLayer::new().on(async |_: Caught<ShopError>| Ok::<(), Error>(())),
        ExceptionLayer::new().on_any(|_: Caught| {}),
    ] {
        let (layer, mut reports) = observed(layer);
        let server = Server::start_axum(routes().layer(layer)).await;
        assert_eq!(server.get("/own").await.to_string(), PLAIN_500);
        assert_eq!(server.head("/own").await.status, 500);
        assert_eq!(reports.take().len(), 2);
    }
    for layer in [
        ExceptionLayer::new().on(fails),
        ExceptionLayer::new().on(fails_later),
    ] {
        let server = Server::start_axum(routes().layer(layer)).await;
        server.get("/own").await.assert_detail(410, "sold out");
    }
}

fn decliners() -> [ExceptionLayer<Configured>; 4] {
    [
        ExceptionLayer::new().on_any(|_: Caught| {}),
        ExceptionLayer::new().on_any(async |_: Caught| yield_now().await),
        ExceptionLayer::new()
            .on(|_: Caught<HttpException>| Reply::decline())
            .on_status(400..=599, async |_: Caught<HttpException>| {
                for _ in 0..3 {
                    yield_now().await;
                }
                Reply::decline()
            }),
        ExceptionLayer::new()
            .on_any(|_: Caught| Reply::decline())
            .on_any(async |_: Caught| {}),
    ]
}

/// The response comes from the code that has rendered the exception.
#[tokio::test]
async fn a_response_passes_unchanged_if_every_handler_declines() {
    let renderer = || ExceptionLayer::new().with_renderer(text);
    let paths = [
        "/own",
        "/source",
        "/taken",
        "/deep",
        "/late",
        "/panic",
        "/converted",
    ];
    for decliner in decliners() {
        for (bare, declined) in [
            (
                routes().layer(ExceptionLayer::new()),
                routes().layer(decliner.clone()),
            ),
            (
                routes().layer(ExceptionLayer::new()),
                routes()
                    .layer(ExceptionLayer::new())
                    .layer(decliner.clone()),
            ),
            (
                routes().layer(renderer()),
                routes().layer(decliner.clone().with_renderer(text)),
            ),
        ] {
            let (bare, declined) = (
                Server::start_axum(bare).await,
                Server::start_axum(declined).await,
            );
            for protocol in PROTOCOLS {
                for path in paths {
                    let expected = bare.connect(protocol).await.get(path).await;
                    let got = declined.connect(protocol).await.get(path).await;
                    assert_eq!(got, expected, "{path} {protocol:?}");
                    let expected = bare.head(path).await.to_string();
                    assert_eq!(declined.head(path).await.to_string(), expected, "{path}");
                }
            }
        }
    }
}

/// A layer without a renderer leaves the rendering of an inner layer as it is.
#[tokio::test]
async fn an_inner_layers_own_rendering_passes_unchanged_if_every_handler_declines() {
    let renderer = || ExceptionLayer::new().with_renderer(text);
    let bare = Server::start_axum(routes().layer(renderer())).await;
    for decliner in decliners() {
        let app = routes().layer(renderer()).layer(decliner);
        let server = Server::start_axum(app).await;
        for path in ["/own", "/taken", "/deep", "/late", "/panic", "/converted"] {
            let expected = bare.get(path).await.to_string();
            assert!(expected.contains("text/plain"), "{expected}");
            assert_eq!(server.get(path).await.to_string(), expected, "{path}");
        }
    }
}
