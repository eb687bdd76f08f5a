//! What the clients do that are refused: the handshake is answered, and a close frame follows it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tower::{BoxError, Layer, service_fn};
use tower_exception::{Custom, ExceptionLayer};

use crate::support::*;

async fn refusing(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    Err(no_swearing().into())
}

async fn refused(layer: &ExceptionLayer<Custom>) -> Raw {
    let address = serve(layer.layer(service_fn(refusing))).await;
    Raw::open(address, "/").await
}

#[tokio::test]
async fn one_byte_at_a_time() {
    let layer = upgrades();
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
        assert_eq!(layer.upgrades().count(), 1);
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.rest().await.unwrap(), b"");
    all_closed(&layer).await;
}

#[tokio::test]
async fn it_is_gone_at_once() {
    let layer = upgrades();
    refused(&layer).await.reset();
    all_closed(&layer).await;
    drop(refused(&layer).await);
    all_closed(&layer).await;
}

#[tokio::test]
async fn it_is_gone_before_the_handshake_is_answered() {
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
    let layer = upgrades();
    let address = serve(layer.layer(app)).await;
    for answered in [false, true] {
        let mut client = Raw::connect(address).await;
        client.send(handshake("/", &[]).as_bytes()).await;
        within(begun.notified()).await;
        client.reset();
        if answered {
            go_on.notify_one();
        }
    }
    // The server has not stopped at that.
    go_on.notify_one();
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    all_closed(&layer).await;
}
