//! Failures after the handshake.

use std::{panic::panic_any, sync::Arc};

use axum::{Router, extract::ws::WebSocket};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::pending};
use http::{Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Notify;
use tower::Layer;
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, Panic, WebSocketException, WebSockets,
    config::Configured,
};

use crate::support::websocket::*;

/// Returns an app whose WebSockets end in every way, after one echo.
fn every_way(layer: ExceptionLayer<Configured>) -> Router {
    macro_rules! ways {
        ($of:ident: $($path:literal => $ending:expr,)*) => {
            Router::new()$(.route($path, $of(async |mut socket: WebSocket| {
                echo_one(&mut socket).await;
                $ending
            })))*
        };
    }
    let bare = ways! { bare:
        "/raised" => no_swearing().raise(),
        "/raised-async" => no_swearing().raise_async().await,
        "/http" => HttpException::not_found("no such room").raise(),
        "/panicked" => panic!("{SECRET_TEXT}"),
        "/dropped" => {},
    };
    let caught = ways! { catching:
        "/returned" => Err(no_swearing().into()),
        "/hidden" => Err(std::io::Error::other(no_swearing()).into()),
        "/raised" => no_swearing().raise(),
        "/raised-async" => no_swearing().raise_async().await,
        "/panic-any" => panic_any(no_swearing()),
        "/task" => Ok(tokio::spawn(async { no_swearing().raise() }).await?),
        "/http" => Err(HttpException::not_found("no such room").into()),
        "/http-plain" => Err(HttpException::new(StatusCode::CONFLICT).into()),
        "/error" => Err(SecretError.into()),
        "/panicked" => panic!("{SECRET_TEXT}"),
        "/done" => Ok(()),
    };
    Router::new()
        .nest("/bare", bare)
        .nest("/caught", caught)
        .layer(layer)
}

#[tokio::test]
async fn every_failure_becomes_a_close_frame_and_a_report() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(every_way(layer.clone())).await;
    let secret = format!("Panicked WebSocket Close(1011): panicked: {SECRET_TEXT}");
    let secret_error = format!("Returned WebSocket Close(1011): {SECRET_TEXT}");
    for protocol in PROTOCOLS {
        for (path, expected, expected_report) in [
            (
                "/bare/raised",
                code(1008, "no swearing"),
                Some("Raised WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/bare/raised-async",
                code(1008, "no swearing"),
                Some("Raised WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/bare/http",
                code(4404, "no such room"),
                Some("Raised WebSocket Close(4404): 404: no such room"),
            ),
            (
                "/bare/panicked",
                code(1011, ""),
                Some("Panicked WebSocket Close(1011): panicked"),
            ),
            ("/bare/dropped", code(1000, ""), None),
            (
                "/caught/returned",
                code(1008, "no swearing"),
                Some("Returned WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/hidden",
                code(1008, "no swearing"),
                Some("Returned WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/raised",
                code(1008, "no swearing"),
                Some("Raised WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/raised-async",
                code(1008, "no swearing"),
                Some("RaisedAsync WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/panic-any",
                code(1008, "no swearing"),
                Some("Raised WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/task",
                code(1008, "no swearing"),
                Some("Raised WebSocket Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/http",
                code(4404, "no such room"),
                Some("Returned WebSocket Close(4404): 404: no such room"),
            ),
            (
                "/caught/http-plain",
                code(4409, "Conflict"),
                Some("Returned WebSocket Close(4409): 409: Conflict"),
            ),
            ("/caught/error", code(1011, ""), Some(&secret_error)),
            ("/caught/panicked", code(1011, ""), Some(&secret)),
            ("/caught/done", code(1000, ""), None),
        ] {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(closed_after_hello(&mut client).await, expected, "{path}");
            if let Some(expected) = expected_report {
                assert_eq!(reports.next().await, expected, "{path}");
            }
            reports.assert_none();
        }
    }
    all_closed(&websockets).await;
}

#[tokio::test]
async fn close_on_drop_sets_the_code_of_a_dropped_connection() {
    let layer = layer_with(&WebSockets::new().close_on_drop(CloseCode::GOING_AWAY));
    let address = serve(every_way(layer.clone())).await;
    for path in ["/bare/dropped", "/caught/done"] {
        let mut client = connect(address, path).await;
        assert_eq!(closed_after_hello(&mut client).await, code(1001, ""));
    }
    let mut client = connect(address, "/bare/panicked").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1011, ""));

    let websockets = WebSockets::new().close_on_drop(None);
    let address = serve(every_way(layer_with(&websockets))).await;
    for path in ["/bare/dropped", "/caught/done"] {
        let mut client = Raw::open(address, path).await;
        client.send(&masked(TEXT, b"hello")).await;
        assert_eq!(client.rest().await.unwrap(), frame(TEXT, b"hello"));
    }
    let mut client = connect(address, "/bare/panicked").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1011, ""));
    all_closed(&websockets).await;
}

#[tokio::test]
async fn an_aborted_task_drops_the_connection() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let (sender, mut tasks) = tokio::sync::mpsc::unbounded_channel();
    let app = accepting(move |io: ServerIo| {
        let task = tokio::spawn(async move {
            let _io = io;
            pending::<()>().await
        });
        sender.send(task.abort_handle()).unwrap();
        async move { assert!(task.await.unwrap_err().is_cancelled()) }
    });
    let address = serve(layer.layer(app)).await;
    let mut client = connect(address, "/").await;
    within(tasks.recv()).await.unwrap().abort();
    assert_eq!(closed(&mut client).await, code(1000, ""));
    all_closed(&websockets).await;
}

#[tokio::test]
async fn handlers_apply_after_the_handshake() {
    let layer = websocket_layer()
        .on(|_: Caught<SecretError>| HttpException::bad_gateway("the database is away"))
        .on(async |exception: Caught<WebSocketException>| {
            tokio::task::yield_now().await;
            exception.clone().with_reason("mind your language")
        })
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            Response::builder()
                .status(StatusCode::GONE)
                .body(Full::<Bytes>::from(SECRET_TEXT))
                .unwrap()
        })
        .on_panic(|_: Caught<Panic>| StatusCode::SERVICE_UNAVAILABLE);
    let (layer, mut reports) = observed(layer);
    let address = serve(every_way(layer.clone())).await;
    for (path, expected) in [
        ("/caught/error", code(4502, "the database is away")),
        ("/bare/raised", code(1008, "mind your language")),
        ("/caught/returned", code(1008, "mind your language")),
        ("/bare/http", code(4410, "")),
        ("/caught/http", code(4410, "")),
        ("/bare/panicked", code(4503, "Service Unavailable")),
        ("/caught/panicked", code(4503, "Service Unavailable")),
        ("/bare/dropped", code(1000, "")),
    ] {
        let mut client = connect(address, path).await;
        let close = closed_after_hello(&mut client).await;
        assert_eq!(close, expected, "{path}");
        if path != "/bare/dropped" {
            let report = reports.next().await.to_string();
            assert!(
                report.contains(&format!("WebSocket Close({})", close.0)),
                "{report}"
            );
        }
        reports.assert_none();
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_1011() {
    fn raise() -> StatusCode {
        panic!("{SECRET_TEXT}")
    }
    let layer = websocket_layer()
        .on(|_: Caught<WebSocketException>| raise())
        .on(async |_: Caught<SecretError>| raise())
        .on_status(StatusCode::NOT_FOUND, async |_: Caught<HttpException>| {
            no_swearing().raise_async::<StatusCode>().await
        });
    let (layer, mut reports) = observed(layer);
    let address = serve(every_way(layer.clone())).await;
    for (path, cause) in [
        ("/caught/returned", "Panicked"),
        ("/caught/error", "Panicked"),
        ("/caught/http", "RaisedAsync"),
    ] {
        let mut client = connect(address, path).await;
        assert_eq!(
            closed_after_hello(&mut client).await,
            code(1011, ""),
            "{path}"
        );
        let failed = reports.next().await.to_string();
        assert!(
            failed.starts_with(&format!("{cause} Handling Close(1011)")),
            "{failed}"
        );
        let handled = reports.next().await.to_string();
        assert!(
            handled.starts_with("Returned WebSocket Close(1011)"),
            "{handled}"
        );
        reports.assert_none();
    }
}

/// The close timeout also limits the time of a handler.
#[tokio::test]
async fn a_handler_that_is_pending_forever_is_a_1011() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("{SECRET_TEXT}");
        }
    }
    let websockets = WebSockets::new().close_timeout(std::time::Duration::from_millis(50));
    let layer = layer_with(&websockets).on(async |_: Caught<WebSocketException>| {
        let _bomb = Bomb;
        pending::<StatusCode>().await
    });
    let (layer, mut reports) = observed(layer);
    let address = serve(every_way(layer.clone())).await;
    let mut client = connect(address, "/caught/returned").await;
    client.send("hello".into()).await.unwrap();
    assert_eq!(closed_after(&mut client, &["hello"]).await, code(1011, ""));
    assert_eq!(
        reports.next().await,
        "Returned WebSocket Close(1011): 1008: no swearing"
    );
    reports.assert_none();
    all_closed(&websockets).await;
}

#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    let layer = websocket_layer().observe(|_: &Caught, _| panic!("{SECRET_TEXT}"));
    let address = serve(every_way(layer.clone())).await;
    for path in ["/bare/raised", "/caught/returned"] {
        let mut client = connect(address, path).await;
        let close = closed_after_hello(&mut client).await;
        assert_eq!(close, code(1008, "no swearing"));
    }
}

/// An error that the close itself causes in the application is not reported.
#[tokio::test]
async fn a_consequence_of_the_close_is_not_reported() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let ended = Arc::new(Notify::new());
    let route = {
        let ended = Arc::clone(&ended);
        catching(move |mut socket: WebSocket| {
            let ended = Arc::clone(&ended);
            async move {
                echo_one(&mut socket).await;
                let error = socket.recv().await.unwrap().unwrap_err();
                ended.notify_one();
                Err::<(), tower_exception::Error>(error.into())
            }
        })
    };
    let address = serve(app(route, layer.clone())).await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    let echoed = within(client.next()).await.unwrap().unwrap();
    assert_eq!(echoed, "hello".into());
    let closing = websockets.close_all(WebSocketException::new(CloseCode::SERVICE_RESTART));
    let (close, ()) = tokio::join!(closed(&mut client), closing);
    assert_eq!(close, code(1012, ""));
    within(ended.notified()).await;
    reports.assert_none();
}
