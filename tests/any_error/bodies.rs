//! Errors of a response's stream, which come too late for a response.

use std::error::Error as StdError;

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer, ServiceExt as _, service_fn};
use tower_exception::{
    BodyError, Error, ExceptionLayer, Panic, Raise, Result, config::LayerConfig,
};

use crate::{
    shop::{ShopError, shop, sold_out},
    support::{PROTOCOLS, Received, Server, observed, request},
};

/// Ways for a chunk to fail.
const WAYS: [fn() -> Result<Bytes>; 5] = [
    || Err(sold_out().into()),
    || Err(anyhow::Error::new(sold_out()).into()),
    || sold_out().raise(),
    || std::panic::resume_unwind(Box::new(sold_out())),
    || Err(Error::from(sold_out()).into_boxed().into()),
];

/// Returns the body of two chunks, of which the second one fails.
fn body(way: usize) -> Body {
    let chunks = stream::iter([0, 1]).then(move |number| async move {
        // The server flushes the first chunk when the body is pending.
        tokio::task::yield_now().await;
        match number {
            0 => Ok(Bytes::from("first")),
            _ => WAYS[way]().map_err(Error::into_boxed),
        }
    });
    Body::from_stream(chunks)
}

/// Reads a body to its error.
async fn error_of<C: LayerConfig>(layer: ExceptionLayer<C>, way: usize) -> BodyError {
    let service =
        service_fn(move |_: Request<()>| async move { Ok::<_, Error>(Response::new(body(way))) });
    let response = layer
        .layer(service)
        .oneshot(Request::new(()))
        .await
        .unwrap();
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    body.frame().await.unwrap().unwrap_err()
}

fn has_shop_error(error: &(dyn StdError + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(it) = error {
        if it.is::<ShopError>() {
            return true;
        }
        error = it.source();
    }
    false
}

#[tokio::test]
async fn a_body_ends_with_the_error_of_its_stream() {
    for way in 0..WAYS.len() {
        for error in [
            error_of(shop(), way).await,
            error_of(observed(shop()).0, way).await,
        ] {
            assert!(has_shop_error(&error), "{way}: {error:?}");
            assert_eq!(error.to_string(), "plumbus is sold out", "{way}");
        }
    }
}

/// Without a handler for it, the payload of a panic is not known to be an error.
#[tokio::test]
async fn a_body_ends_with_the_error_of_its_stream_without_handlers() {
    for way in [0, 1, 2, 4] {
        let error = error_of(ExceptionLayer::new(), way).await;
        assert!(has_shop_error(&error), "{way}: {error:?}");
    }
    let error = error_of(ExceptionLayer::new(), 3).await;
    assert!(error.get_ref().is::<Panic>());
}

#[tokio::test]
async fn a_client_sees_that_a_body_ended_too_early() {
    let (layer, mut reports) = observed(shop());
    let mut router = Router::new();
    for way in 0..WAYS.len() {
        router = router.route(&format!("/{way}"), get(async move || body(way)));
    }
    let server = Server::start_axum(router.layer(layer)).await;
    for (way, mechanism) in ["Returned", "Returned", "Raised", "Raised", "Returned"]
        .into_iter()
        .enumerate()
    {
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            let path = format!("/{way}");
            let response = client.send(request(Method::GET, &path)).await.unwrap();
            let (received, error) = Received::read(response).await;
            assert_eq!(received.status, 200, "{way}");
            assert_eq!(received.text(), "first", "{way}");
            assert!(error.is_some(), "{way}");
            let expected = format!("{mechanism} Body Aborted: plumbus is sold out");
            assert_eq!(reports.take(), [expected], "{way} {protocol:?}");
        }
    }
}
