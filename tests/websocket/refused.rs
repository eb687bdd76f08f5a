//! Behaviour of refused clients: the handshake is goes_on, and a close frame follows.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tower::{BoxError, Layer, service_fn};
use tower_exception::{ExceptionLayer, WebSockets, config::Configured};

use crate::support::websocket::*;

async fn refusing(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    Err(no_swearing().into())
}

async fn refused(layer: &ExceptionLayer<Configured>) -> Raw {
    let address = serve(layer.layer(service_fn(refusing))).await;
    Raw::open(address, "/").await
}

#[tokio::test]
async fn a_refused_client_may_send_one_byte_at_a_time() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = serve(layer.layer(service_fn(refusing))).await;
    let mut client = Raw::connect(address).await;
    for byte in handshake("/", &[]).as_bytes() {
        client.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    let expected = close_frame(1008, "no swearing");
    assert_eq!(client.take(expected.len()).await, expected);
    for byte in masked_close(1008) {
        assert_eq!(websockets.count(), 1);
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.rest().await.unwrap(), b"");
    all_closed(&websockets).await;
}

#[tokio::test]
async fn a_refused_client_may_disconnect_at_once() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    refused(&layer).await.reset();
    all_closed(&websockets).await;
    drop(refused(&layer).await);
    all_closed(&websockets).await;
}

#[tokio::test]
async fn a_client_may_disconnect_before_it_is_refused() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        service_fn(move |request: Request<Incoming>| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                refusing(request).await
            }
        })
    };
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = serve(layer.layer(app)).await;
    for goes_on in [false, true] {
        let mut client = Raw::connect(address).await;
        client.send(handshake("/", &[]).as_bytes()).await;
        within(begun.notified()).await;
        client.reset();
        if goes_on {
            go_on.notify_one();
        }
    }
    // The server still works.
    go_on.notify_one();
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    all_closed(&websockets).await;
}
