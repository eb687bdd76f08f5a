//! Applications that do not complete an upgrade.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tokio::sync::mpsc;
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_exception::{WebSocketHandle, WebSockets};

use crate::support::websocket::*;

type AppResult = Result<Response<Empty<Bytes>>, BoxError>;

#[tokio::test]
async fn a_connection_without_an_upgrade_is_closed() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let app =
        service_fn(async |request: Request<Incoming>| -> AppResult { Ok(accepted(&request)) });
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1000, ""));
    }
    all_closed(&websockets).await;
    reports.assert_none();
}

/// The upgrade is stored and not awaited. The connection is open, and can be closed.
#[tokio::test]
async fn an_upgrade_that_is_never_awaited_can_be_closed() {
    let stored = Arc::new(Mutex::new(Vec::<OnUpgrade>::new()));
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let app = {
        let stored = stored.clone();
        service_fn(move |mut request: Request<Incoming>| {
            stored
                .lock()
                .unwrap()
                .push(hyper::upgrade::on(&mut request));
            std::future::ready(AppResult::Ok(accepted(&request)))
        })
    };
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(websockets.count(), 1);
        let (close, ()) = tokio::join!(closed(&mut client), websockets.close_all(no_swearing()));
        assert_eq!(close, code(1008, "no swearing"));
        all_closed(&websockets).await;
        let late = stored.lock().unwrap().pop().unwrap();
        drop(within(late).await);
    }
}

/// The future of the upgrade fails.
#[tokio::test]
async fn an_upgrade_fails_if_the_handshake_is_refused() {
    let (sender, mut errors) = mpsc::unbounded_channel();
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let app = service_fn(move |mut request: Request<Incoming>| {
        let upgrade = hyper::upgrade::on(&mut request);
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(upgrade.await.is_err()).unwrap() });
        async move {
            match request.uri().path() {
                "/returned" => Err(no_swearing().into()),
                "/panicked" => panic!("{SECRET_TEXT}"),
                _ => {
                    let mut response = Response::new(Empty::new());
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    AppResult::Ok(response)
                }
            }
        }
    });
    let address = serve(layer.layer(app)).await;
    for (path, status) in [("/", 400), ("/panicked", 500)] {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&handshake(path, &[])).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(within(errors.recv()).await.unwrap());
        assert_eq!(websockets.count(), 0);
        let response = extended_connect(address, path, &[]).await;
        assert_eq!(response.status(), status);
        assert!(within(errors.recv()).await.unwrap());
    }
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/returned").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        let _is_err = within(errors.recv()).await.unwrap();
    }
    all_closed(&websockets).await;
}

/// A task of the application fails before the connection exists.
#[tokio::test]
async fn a_task_may_fail_before_the_handshake_is_answered() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let app = service_fn(async |request: Request<Incoming>| -> AppResult {
        let handle = WebSocketHandle::of(&request).unwrap();
        let first = handle.clone().catch(async |()| Err(no_swearing().into()));
        first(()).await;
        let second = handle.catch(async |()| Err(SecretError.into()));
        second(()).await;
        let mut response = accepted(&request);
        if request.uri().path() == "/refused" {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        Ok(response)
    });
    let second = format!("Returned WebSocket Aborted: {SECRET_TEXT}");
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        let first = "Returned WebSocket Close(1008): 1008: no swearing";
        assert_eq!(reports.take(), [&second, first]);
    }
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/refused", &[])).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let first = "Returned WebSocket Aborted: 1008: no swearing";
    assert_eq!(reports.take(), [&second, first]);
    all_closed(&websockets).await;
}

/// A connection whose handshake was refused over HTTP serves other requests.
#[tokio::test]
async fn a_refusal_over_http_leaves_the_connection_usable() {
    let layer = layer_with(&WebSockets::new().reject_handshake_with(StatusCode::FORBIDDEN));
    let app = service_fn(async |request: Request<Incoming>| -> AppResult {
        match WebSocketHandle::of(&request) {
            Some(_) => Err(no_swearing().into()),
            None => Ok(Response::new(Empty::new())),
        }
    });
    let address = serve(layer.layer(app)).await;
    let mut client = Raw::connect(address).await;
    for _ in 0..3 {
        let head = client.ask(&handshake("/", &[])).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
        client.take(r#"{"detail":"no swearing"}"#.len()).await;
        let head = client.ask("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

/// A layer further out replaces the response of the application.
#[tokio::test]
async fn an_outer_layer_may_replace_the_response() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let app = ServiceBuilder::new()
        .map_response(|_| {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        })
        .layer(layer.clone())
        .service(accepting(async |_io| {}));
    let address = serve(app).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/", &[])).await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    drop(client);
    all_closed(&websockets).await;
}
