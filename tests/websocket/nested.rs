//! Layers within layers.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn};
use tower_exception::{Answer, Caught, ExceptionLayer, HttpException, WebSocketException};

use crate::support::*;

async fn refusing(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    Err(no_swearing().into())
}

/// A plain layer's answer is provisional.
#[tokio::test]
async fn plain_inside() {
    let app = ExceptionLayer::new().layer(service_fn(refusing));
    let (layer, mut told) = observed(upgrades());
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        assert_eq!(
            told.next().await,
            "Attached Future Close(1008): 1008: no swearing"
        );
    }
    told.assert_nothing_else();
}

#[tokio::test]
async fn custom_inside() {
    let inner = ExceptionLayer::new().observe(|_: &Caught, _: Answer| {});
    let address = serve(upgrades().layer(inner.layer(service_fn(refusing)))).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    }
}

/// What a handler has replied is final.
#[tokio::test]
async fn custom_inside_with_a_handler() {
    let inner = ExceptionLayer::new()
        .on(|_: Caught<WebSocketException>| HttpException::forbidden("not with us"));
    let address = serve(upgrades().layer(inner.layer(service_fn(refusing)))).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/", &[])).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

/// The inner one closes it, whatever is outside.
#[tokio::test]
async fn upgrades_inside() {
    for outer in [
        upgrades(),
        ExceptionLayer::new().on_any(|_: Caught| StatusCode::IM_A_TEAPOT),
    ] {
        let (outer, mut outer_told) = observed(outer);
        let (inner, mut inner_told) = observed(upgrades());
        let address = serve(outer.layer(failing(inner.clone()))).await;
        for protocol in PROTOCOLS {
            for (path, told) in [
                ("/before", "Attached Future Close(1008): 1008: no swearing"),
                ("/after", "Raised Upgraded Close(1008): 1008: no swearing"),
            ] {
                let mut client = connect_over(protocol, address, path).await;
                assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
                assert_eq!(inner_told.next().await, told);
            }
        }
        outer_told.assert_nothing_else();
        all_closed(&inner).await;
        all_closed(&outer).await;
    }
}

/// The frames of all of them are one stream: `close_all` of the outer one too finds its place in it.
#[tokio::test]
async fn upgrades_inside_and_closed_by_the_outer_one() {
    let (inner, mut inner_told) = observed(upgrades());
    let outer = upgrades();
    let app = app(
        caught(async |mut socket| {
            loop {
                echo_one(&mut socket).await;
            }
        }),
        inner.clone(),
    );
    let address = serve(outer.layer(app)).await;
    let mut client = connect(address, "/").await;
    let upgrades = outer.upgrades();
    let (closed, ()) = tokio::join!(closed(&mut client), upgrades.close_all(no_swearing()));
    assert_eq!(closed, code(1008, "no swearing"));
    let told = inner_told.next().await;
    assert!(told.starts_with("Panicked Upgraded CutShort"), "{told}");
    all_closed(&inner).await;
    all_closed(&outer).await;
}
