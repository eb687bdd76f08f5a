//! Exceptions after the handshake.

use std::{panic::panic_any, sync::Arc};

use axum::{Router, extract::ws::WebSocket};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::pending};
use http::{Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Notify;
use tower::{BoxError, Layer};
use tower_exception::{
    Caught, CloseCode, Custom, ExceptionLayer, HttpException, Panic, WebSocketException,
};

use crate::support::*;

/// An app whose WebSockets end in every way that there is, after a message.
fn every_way(layer: ExceptionLayer<Custom>) -> Router {
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
    let caught = ways! { caught:
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
async fn whichever_way() {
    let (layer, mut told) = observed(upgrades());
    let address = serve(every_way(layer.clone())).await;
    let secret = format!("Panicked Upgraded Close(1011): panicked: {SECRET_TEXT}");
    let secret_error = format!("Returned Upgraded Close(1011): {SECRET_TEXT}");
    for protocol in PROTOCOLS {
        for (path, expected, expected_told) in [
            (
                "/bare/raised",
                code(1008, "no swearing"),
                Some("Raised Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/bare/raised-async",
                code(1008, "no swearing"),
                Some("Raised Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/bare/http",
                code(4404, "no such room"),
                Some("Raised Upgraded Close(4404): 404: no such room"),
            ),
            (
                "/bare/panicked",
                code(1011, ""),
                Some("Panicked Upgraded Close(1011): panicked"),
            ),
            ("/bare/dropped", code(1000, ""), None),
            (
                "/caught/returned",
                code(1008, "no swearing"),
                Some("Returned Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/hidden",
                code(1008, "no swearing"),
                Some("Returned Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/raised",
                code(1008, "no swearing"),
                Some("Raised Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/raised-async",
                code(1008, "no swearing"),
                Some("RaisedAsync Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/panic-any",
                code(1008, "no swearing"),
                Some("Raised Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/task",
                code(1008, "no swearing"),
                Some("Raised Upgraded Close(1008): 1008: no swearing"),
            ),
            (
                "/caught/http",
                code(4404, "no such room"),
                Some("Returned Upgraded Close(4404): 404: no such room"),
            ),
            (
                "/caught/http-plain",
                code(4409, "Conflict"),
                Some("Returned Upgraded Close(4409): 409: Conflict"),
            ),
            ("/caught/error", code(1011, ""), Some(&secret_error)),
            ("/caught/panicked", code(1011, ""), Some(&secret)),
            ("/caught/done", code(1000, ""), None),
        ] {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(closed_after_hello(&mut client).await, expected, "{path}");
            if let Some(expected) = expected_told {
                assert_eq!(told.next().await, expected, "{path}");
            }
            told.assert_nothing_else();
        }
    }
    all_closed(&layer).await;
}

#[tokio::test]
async fn close_on_drop() {
    let layer = upgrades().close_on_drop(CloseCode::GOING_AWAY);
    let address = serve(every_way(layer.clone())).await;
    for path in ["/bare/dropped", "/caught/done"] {
        let mut client = connect(address, path).await;
        assert_eq!(closed_after_hello(&mut client).await, code(1001, ""));
    }
    let mut client = connect(address, "/bare/panicked").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1011, ""));

    let layer = upgrades().close_on_drop(None);
    let address = serve(every_way(layer.clone())).await;
    for path in ["/bare/dropped", "/caught/done"] {
        let mut client = Raw::open(address, path).await;
        client.send(&masked(TEXT, b"hello")).await;
        assert_eq!(client.rest().await.unwrap(), frame(TEXT, b"hello"));
    }
    let mut client = connect(address, "/bare/panicked").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1011, ""));
    all_closed(&layer).await;
}

#[tokio::test]
async fn an_aborted_task_has_dropped_it() {
    let layer = upgrades();
    let (sender, mut tasks) = tokio::sync::mpsc::unbounded_channel();
    let app = accepting(move |io: Bare| {
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
    all_closed(&layer).await;
}

#[tokio::test]
async fn handlers_apply() {
    let layer = upgrades()
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
    let (layer, mut told) = observed(layer);
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
            let told = told.next().await;
            assert!(
                told.contains(&format!("Upgraded Close({})", close.0)),
                "{told}"
            );
        }
        told.assert_nothing_else();
    }
}

#[tokio::test]
async fn a_handler_that_panics_makes_it_1011() {
    fn raise() -> StatusCode {
        panic!("{SECRET_TEXT}")
    }
    let layer = upgrades()
        .on(|_: Caught<WebSocketException>| raise())
        .on(async |_: Caught<SecretError>| raise())
        .on_status(StatusCode::NOT_FOUND, async |_: Caught<HttpException>| {
            no_swearing().raise_async::<StatusCode>().await
        });
    let (layer, mut told) = observed(layer);
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
        let failed = told.next().await;
        assert!(
            failed.starts_with(&format!("{cause} Answer Close(1011)")),
            "{failed}"
        );
        let answered = told.next().await;
        assert!(
            answered.starts_with("Returned Upgraded Close(1011)"),
            "{answered}"
        );
        told.assert_nothing_else();
    }
}

/// The client's patience is as long as the close timeout, and no longer.
#[tokio::test]
async fn a_handler_that_never_answers_makes_it_1011() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("{SECRET_TEXT}");
        }
    }
    let layer = upgrades()
        .close_timeout(std::time::Duration::from_millis(50))
        .on(async |_: Caught<WebSocketException>| {
            let _bomb = Bomb;
            pending::<StatusCode>().await
        });
    let (layer, mut told) = observed(layer);
    let address = serve(every_way(layer.clone())).await;
    let mut client = connect(address, "/caught/returned").await;
    client.send("hello".into()).await.unwrap();
    assert_eq!(closed_after(&mut client, &["hello"]).await, code(1011, ""));
    assert_eq!(
        told.next().await,
        "Returned Upgraded Close(1011): 1008: no swearing"
    );
    told.assert_nothing_else();
    all_closed(&layer).await;
}

#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    let layer = upgrades().observe(|_: &Caught, _| panic!("{SECRET_TEXT}"));
    let address = serve(every_way(layer.clone())).await;
    for path in ["/bare/raised", "/caught/returned"] {
        let mut client = connect(address, path).await;
        let close = closed_after_hello(&mut client).await;
        assert_eq!(close, code(1008, "no swearing"));
    }
}

/// What fails because the connection was taken away is no news.
#[tokio::test]
async fn a_consequence_of_the_close_is_not_told_of() {
    let (layer, mut told) = observed(upgrades());
    let ended = Arc::new(Notify::new());
    let route = {
        let ended = Arc::clone(&ended);
        caught(move |mut socket: WebSocket| {
            let ended = Arc::clone(&ended);
            async move {
                echo_one(&mut socket).await;
                let error = socket.recv().await.unwrap().unwrap_err();
                ended.notify_one();
                Err::<(), BoxError>(error.into())
            }
        })
    };
    let address = serve(app(route, layer.clone())).await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    let upgrades = layer.upgrades();
    let echoed = within(client.next()).await.unwrap().unwrap();
    assert_eq!(echoed, "hello".into());
    let closing = upgrades.close_all(WebSocketException::new(CloseCode::SERVICE_RESTART));
    let (close, ()) = tokio::join!(closed(&mut client), closing);
    assert_eq!(close, code(1012, ""));
    within(ended.notified()).await;
    told.assert_nothing_else();
}
