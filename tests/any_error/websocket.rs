//! Errors of a WebSocket's task.

use std::panic::{panic_any, resume_unwind};

use anyhow::Context as _;
use tower_exception::{
    Caught, CloseCode, Error, ExceptionLayer, HttpException, Outcome, Raise, Result,
    WebSocketException, WebSockets, config::Configured,
};

use crate::{
    cases::CASES,
    shop::{ShopError, disk, elapsed, shop, sold_out},
    support::websocket::*,
};

fn with_websockets(layer: ExceptionLayer<Configured>) -> ExceptionLayer<Configured> {
    layer.with_websockets(WebSockets::new())
}

/// The code and the reason of the close frame for an HTTP status and its detail.
fn close_of((status, detail): (u16, &str)) -> (u16, String) {
    match status {
        500 => code(1011, ""),
        _ => code(4000 + status, detail),
    }
}

// E1, E2
#[tokio::test]
async fn an_error_of_a_websockets_task_reaches_the_handler_of_its_type() {
    let mut differences = Vec::new();
    for case in CASES {
        let error = case.error;
        let returned = move || catching(move |_| async move { Err(error()) });
        let raised = move || catching(move |_| async move { error().raise() });
        let later = move || catching(move |_| async move { error().raise_async().await });
        let task = move || {
            catching(
                move |_| async move { Ok(tokio::spawn(async move { error().raise() }).await?) },
            )
        };
        let (handled, default) = (close_of(case.handled), close_of(case.default));
        for (way, route) in [
            ("returned", returned()),
            ("raised", raised()),
            ("later", later()),
            ("task", task()),
        ] {
            for (layer, expected) in [(shop(), &handled), (observed(shop()).0, &handled)] {
                let address = serve(app(route.clone(), with_websockets(layer))).await;
                let got = closed(&mut connect(address, "/").await).await;
                if got != *expected {
                    differences.push(format!("{way} {}: {got:?}, not {expected:?}", case.name));
                }
            }
        }
        let address = serve(app(returned(), websocket_layer())).await;
        for protocol in PROTOCOLS {
            let got = closed(&mut connect_over(protocol, address, "/").await).await;
            if got != default {
                differences.push(format!(
                    "{protocol:?} {}: {got:?}, not {default:?}",
                    case.name
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

type Fail = fn() -> Result<()>;

const OWN: [(&str, Fail); 7] = [
    ("returned", || Err(sold_out().into())),
    ("anyhow", || {
        Err(anyhow::Error::new(sold_out()).context("a"))?
    }),
    ("raised", || sold_out().raise()),
    ("panicked", || panic_any(sold_out())),
    ("resumed", || {
        resume_unwind(Box::new(anyhow::Error::new(sold_out())))
    }),
    ("boxed", || Err(Error::from(sold_out()).into_boxed())?),
    ("context", || {
        Err::<(), _>(sold_out()).context("a")?;
        Ok(())
    }),
];

// E9
#[tokio::test]
async fn a_handlers_reply_is_the_close_frame() {
    let denied = || WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("sold out");
    for (name, fail) in OWN {
        let route = catching(move |_| async move { fail() });
        let layers = [
            (
                ExceptionLayer::new().on(move |_: Caught<ShopError>| denied()),
                1008,
                "sold out",
            ),
            (
                ExceptionLayer::new().on(|_: Caught<ShopError>| HttpException::gone("no")),
                4410,
                "no",
            ),
            (
                ExceptionLayer::new().on(|_: Caught<ShopError>| Error::from(disk())),
                1011,
                "",
            ),
            (
                ExceptionLayer::new().on(async |_: Caught<ShopError>| -> Result<()> {
                    Err(HttpException::conflict("taken"))?
                }),
                4409,
                "taken",
            ),
            (
                ExceptionLayer::new().on(|_: Caught<ShopError>| {}),
                1011,
                "",
            ),
            (
                ExceptionLayer::new().on(async |_: Caught<ShopError>| {}),
                1011,
                "",
            ),
        ];
        for (layer, expected, reason) in layers {
            let (layer, mut reports) = observed(with_websockets(layer));
            let address = serve(app(route.clone(), layer)).await;
            let got = closed(&mut connect(address, "/").await).await;
            assert_eq!(got, code(expected, reason), "{name}");
            reports.next().await;
        }
    }
}

// E15
#[tokio::test]
async fn a_reply_without_a_status_closes_with_that_of_the_failure() {
    let layers: [ExceptionLayer<Configured>; 4] = [
        ExceptionLayer::new().on_any(|_: Caught| "sorry"),
        ExceptionLayer::new().on_any(async |_: Caught| "sorry"),
        ExceptionLayer::new().on_any(|_: Caught| axum::Json("sorry")),
        ExceptionLayer::new().on_any(|_: Caught| axum::response::Html("sorry")),
    ];
    for layer in layers {
        let layer = with_websockets(layer);
        for (fail, expected) in [
            ((|| Err(sold_out().into())) as Fail, 1011),
            (|| Err(elapsed().into()), 4504),
            (|| Err(HttpException::conflict("taken").into()), 4409),
        ] {
            let address = serve(app(catching(move |_| async move { fail() }), layer.clone())).await;
            let (got, _) = closed(&mut connect(address, "/").await).await;
            assert_eq!(got, expected);
        }
    }
}

#[tokio::test]
async fn a_websocket_exception_in_an_error_closes_with_its_code() {
    let rows: [Fail; 6] = [
        || Err(no_swearing().into()),
        || Err(Box::new(no_swearing()).into()),
        || Err(anyhow::Error::new(no_swearing()).into()),
        || Err(anyhow::Error::new(no_swearing()).context("a").into()),
        || Err(anyhow::Error::new(disk()).context(no_swearing()).into()),
        || Error::from(no_swearing()).raise(),
    ];
    for layer in [websocket_layer(), with_websockets(shop())] {
        let (layer, mut reports) = observed(layer);
        for fail in rows {
            let route = catching(move |_| async move { fail() });
            let address = serve(app(route, layer.clone())).await;
            for protocol in PROTOCOLS {
                let mut client = connect_over(protocol, address, "/").await;
                assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
                let outcome = Outcome::Close(CloseCode::POLICY_VIOLATION);
                assert_eq!(reports.next().await.outcome, outcome);
            }
        }
        reports.assert_none();
    }
}

/// Before the handshake is answered, an error is an HTTP response.
#[tokio::test]
async fn an_error_before_the_handshake_is_a_response() {
    let route = axum::routing::any(
        async |_: axum::extract::ws::WebSocketUpgrade| -> Result<()> { Err(sold_out().into()) },
    );
    for (layer, status) in [(with_websockets(shop()), 410), (websocket_layer(), 500)] {
        let address = serve(app(route.clone(), layer)).await;
        let refused = try_connect(address, "/", &[]).await.unwrap_err();
        let tokio_tungstenite::tungstenite::Error::Http(response) = refused else {
            panic!("{refused}")
        };
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn an_error_of_a_websockets_task_is_reported_once_with_its_line() {
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let (layer, mut reports) = observed(shop());
    let layer = layer.observe(move |caught: &Caught, _| {
        sender.send(caught.location().unwrap().line()).unwrap();
    });
    let line = line!() + 2;
    let route = catching(async |_| {
        Err::<(), _>(sold_out())?;
        Ok(())
    });
    let address = serve(app(route, with_websockets(layer))).await;
    let closed = closed(&mut connect(address, "/").await).await;
    assert_eq!(closed, code(4410, "no plumbus left"));
    let report = reports.next().await;
    assert_eq!(
        report,
        "Returned WebSocket Close(4410): plumbus is sold out"
    );
    reports.assert_none();
    assert_eq!(within(lines.recv()).await, Some(line));
}
