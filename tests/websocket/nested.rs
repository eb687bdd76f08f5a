//! Nested layers.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Outcome, WebSocketException, WebSockets,
};

use crate::support::websocket::*;

async fn refusing(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, BoxError> {
    Err(no_swearing().into())
}

/// The rendering of a plain layer is provisional.
#[tokio::test]
async fn an_exception_of_a_plain_inner_layer_becomes_a_close_frame() {
    let app = ExceptionLayer::new().layer(service_fn(refusing));
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        assert_eq!(
            reports.next().await,
            "Returned Future Close(1008): 1008: no swearing"
        );
    }
    reports.assert_none();
}

#[tokio::test]
async fn an_exception_of_a_configured_inner_layer_becomes_a_close_frame() {
    let inner = ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {});
    let address = serve(websocket_layer().layer(inner.layer(service_fn(refusing)))).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    }
}

/// The reply of a handler is final.
#[tokio::test]
async fn the_reply_of_an_inner_handler_is_final() {
    let inner = ExceptionLayer::new()
        .on(|_: Caught<WebSocketException>| HttpException::forbidden("not with us"));
    let address = serve(websocket_layer().layer(inner.layer(service_fn(refusing)))).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/", &[])).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

/// The inner layer closes the connection, whatever the outer one is.
#[tokio::test]
async fn an_inner_layer_with_websockets_closes_the_connection() {
    let (outer_websockets, inner_websockets) = (WebSockets::new(), WebSockets::new());
    for outer in [
        layer_with(&outer_websockets),
        ExceptionLayer::new().on_any(|_: Caught| StatusCode::IM_A_TEAPOT),
    ] {
        let (outer, mut outer_reports) = observed(outer);
        let (inner, mut inner_reports) = observed(layer_with(&inner_websockets));
        let address = serve(outer.layer(failing(inner))).await;
        for protocol in PROTOCOLS {
            for (path, report) in [
                ("/before", "Attached Future Close(1008): 1008: no swearing"),
                ("/after", "Raised WebSocket Close(1008): 1008: no swearing"),
            ] {
                let mut client = connect_over(protocol, address, path).await;
                assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
                assert_eq!(inner_reports.next().await, report);
            }
        }
        outer_reports.assert_none();
        all_closed(&inner_websockets).await;
        all_closed(&outer_websockets).await;
    }
}

/// All layers track one stream of frames, so `close_all` of the outer layer finds a frame boundary
/// too.
#[tokio::test]
async fn an_outer_layer_closes_connections_of_an_inner_one() {
    let (outer_websockets, inner_websockets) = (WebSockets::new(), WebSockets::new());
    let (inner, mut inner_reports) = observed(layer_with(&inner_websockets));
    let outer = layer_with(&outer_websockets);
    let app = app(
        catching(async |mut socket| {
            loop {
                echo_one(&mut socket).await;
            }
        }),
        inner,
    );
    let address = serve(outer.layer(app)).await;
    let mut client = connect(address, "/").await;
    let (closed, ()) = tokio::join!(
        closed(&mut client),
        outer_websockets.close_all(no_swearing())
    );
    assert_eq!(closed, code(1008, "no swearing"));
    let report = inner_reports.next().await.to_string();
    assert!(report.starts_with("Panicked WebSocket Aborted"), "{report}");
    all_closed(&inner_websockets).await;
    all_closed(&outer_websockets).await;
}
