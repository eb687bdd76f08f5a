//! Requests that are no WebSocket pass as without the layer.

use axum::{Router, routing::any};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, WebSocketHandle, WebSockets, config::Configured};

use crate::support::websocket::*;

/// Returns a service that accepts the first requested protocol, and echoes bytes.
fn echoing() -> impl tower::Service<
    Request<Incoming>,
    Response = Response<Empty<Bytes>>,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    service_fn(async |mut request: Request<Incoming>| {
        let mut response = Response::new(Empty::new());
        let mut may_be_websocket = false;
        if request.method() != Method::CONNECT {
            let offered = request.headers()["upgrade"].to_str().unwrap();
            may_be_websocket = offered.contains("websocket");
            let first = offered.split(',').next().unwrap();
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert("upgrade", first.parse().unwrap());
        }
        assert_eq!(WebSocketHandle::of(&request).is_some(), may_be_websocket);
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut reading, mut writing) = split(TokioIo::new(upgrade.await.unwrap()));
            copy(&mut reading, &mut writing).await.unwrap();
        });
        Ok(response)
    })
}

#[tokio::test]
async fn other_upgrades_pass_unchanged() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = serve(layer.layer(echoing())).await;
    for (request, status) in [
        (
            "GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\n",
            101,
        ),
        // The client offers a WebSocket as its second choice.
        (
            &handshake("/", &[]).replace("upgrade: ", "upgrade: echo/1, "),
            101,
        ),
        (
            "CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\n",
            200,
        ),
        (
            "CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\nupgrade: websocket\r\n\r\n",
            200,
        ),
    ] {
        let mut client = Raw::connect(address).await;
        let head = client.ask(request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert_eq!(websockets.count(), 0);
        websockets.close_all(no_swearing()).await;
        // The bytes of a close frame, and of the beginning of one, have no meaning here.
        for bytes in [&b"hello"[..], &close_frame(1000, ""), &[CLOSE]] {
            client.send(bytes).await;
            assert_eq!(client.take(bytes.len()).await, bytes);
        }
        client.0.shutdown().await.unwrap();
        assert_eq!(client.rest().await.unwrap(), b"", "nothing is added");
    }
}

#[tokio::test]
async fn a_tunnel_over_http2_passes_unchanged() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets);
    let address = serve(layer.layer(echoing())).await;
    let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::connect("example.com:80").body(Empty::<Bytes>::new());
    let response = within(sender.send_request(request.unwrap())).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    tunnel.write_all(b"hello").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut echoed = Vec::new();
    within(tunnel.read_to_end(&mut echoed)).await.unwrap();
    assert_eq!(echoed, b"hello");
    assert_eq!(websockets.count(), 0);
}

#[tokio::test]
async fn http_1_0_and_plain_requests_have_no_handle() {
    let app = service_fn(async |request: Request<Incoming>| {
        assert!(WebSocketHandle::of(&request).is_none());
        match request.uri().path() {
            "/fine" => Ok(Response::new(Full::<Bytes>::from("fine"))),
            _ => Err(no_swearing()),
        }
    });
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(layer.layer(app)).await;
    let plain = |path| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    let http_1_0 = |path| handshake(path, &[]).replace("HTTP/1.1", "HTTP/1.0");
    for (fine, refused) in [
        (plain("/fine"), plain("/refused")),
        (http_1_0("/fine"), http_1_0("/refused")),
    ] {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&fine).await;
        assert_eq!(head.split(' ').nth(1), Some("200"));
        let mut client = Raw::connect(address).await;
        let head = client.ask(&refused).await;
        assert_eq!(head.split(' ').nth(1), Some("403"));
        let body = r#"{"detail":"no swearing"}"#;
        assert_eq!(client.take(body.len()).await, body.as_bytes());
        let expected = "Returned Future Status(403): 1008: no swearing";
        assert_eq!(reports.next().await, expected);
    }
    reports.assert_none();
}

fn websocket_request(version: Version) -> Request<Empty<Bytes>> {
    let request = Request::get("/").version(version);
    let request = request.header("connection", "upgrade");
    let request = request.header("upgrade", "websocket");
    let request = request.header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-key", KEY);
    request.body(Empty::new()).unwrap()
}

/// An application's own tests make such requests.
#[tokio::test]
async fn a_request_that_is_not_from_hyper_has_no_handle() {
    async fn response_of<F>(layer: ExceptionLayer<Configured>, app: F) -> (StatusCode, String)
    where
        F: AsyncFn(Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, tower::BoxError>,
    {
        let app = service_fn(|request| app(request));
        let service = layer.layer(app);
        let response = service.oneshot(websocket_request(Version::HTTP_11)).await;
        let (head, body) = response.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, String::from_utf8(body.to_vec()).unwrap())
    }
    let fine = async |request: Request<Empty<Bytes>>| {
        assert!(WebSocketHandle::of(&request).is_none());
        assert!(request.extensions().get::<OnUpgrade>().is_none());
        Ok(Response::new(Full::from("fine")))
    };
    let (status, body) = response_of(websocket_layer(), fine).await;
    assert_eq!((status.as_u16(), &*body), (200, "fine"));
    let refused = async |_| Err(no_swearing().into());
    let (status, body) = response_of(websocket_layer(), refused).await;
    assert_eq!(
        (status.as_u16(), &*body),
        (403, r#"{"detail":"no swearing"}"#)
    );
}

#[tokio::test]
async fn extracting_a_missing_handle_is_an_error() {
    let router = || Router::new().route("/", any(async |_: WebSocketHandle| "fine"));
    let with = serve(router().layer(websocket_layer())).await;
    let without = serve(router().layer(ExceptionLayer::new())).await;
    let plain = "GET / HTTP/1.1\r\nhost: test\r\n\r\n".to_owned();
    let other = handshake("/", &[]).replace("websocket\r\n", "h2c\r\n");
    for (address, request, status) in [
        (with, &plain, 426),
        (with, &other, 426),
        (with, &handshake("/", &[]), 200),
        (without, &plain, 426),
        (without, &other, 426),
        (without, &handshake("/", &[]), 500),
    ] {
        let head = Raw::connect(address).await.ask(request).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {head}"
        );
        if status == 426 {
            assert_eq!(header(&head, "upgrade"), ["websocket"]);
            assert_eq!(header(&head, "sec-websocket-version"), ["13"]);
        }
    }
    let not_over_a_socket = router().layer(websocket_layer());
    let request = websocket_request(Version::HTTP_11).map(axum::body::Body::new);
    let response = not_over_a_socket.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 426);
}
