//! Handshakes that the layer answers itself: the subprotocol of a refusal, HTTP exceptions as close
//! frames, and malformed handshakes.

use axum::{Router, routing::any};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn, timeout::error::Elapsed};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, WebSocketException, WebSocketHandle,
    WebSockets,
};

use crate::support::websocket::*;

/// Returns a service that refuses every handshake.
fn refusing(
    websockets: WebSockets,
) -> impl tower::Service<
    Request<Incoming>,
    Response = Response<impl http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send>,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send {
    layer_with(&websockets).layer(service_fn(async |_: Request<Incoming>| {
        Err::<Response<Full<Bytes>>, _>(no_swearing())
    }))
}

// A8
#[tokio::test]
async fn a_refusal_selects_the_first_offered_token() {
    let address = serve(refusing(WebSockets::new())).await;
    for (lines, selected) in [
        (&[][..], None),
        (&["chat.v2, chat.v1"], Some("chat.v2")),
        (&["bearer-s3cret, chat.v1"], Some("bearer-s3cret")),
        (&["foo;bar"], None),
        (&["foo;bar, chat"], Some("chat")),
        (&["<script>; a=\"b"], None),
        (
            &["a b", "", " , ", "chat/1", "!#$%&'*+-.^_`|~09azAZ"],
            Some("!#$%&'*+-.^_`|~09azAZ"),
        ),
        (&["(", "\u{e4}"], None),
    ] {
        assert_selects(address, lines, selected).await;
    }
}

// A8
#[tokio::test]
async fn a_refusal_selects_from_the_servers_list() {
    let websockets = WebSockets::new().protocols(["chat.v2", "chat.v1"]);
    let address = serve(refusing(websockets)).await;
    for (lines, selected) in [
        (&[][..], None),
        (&["bearer-s3cret, chat.v1"], Some("chat.v1")),
        (&["chat.v1", "chat.v2"], Some("chat.v2")),
        (&["bearer-s3cret"], None),
        (&["CHAT.V1"], None),
    ] {
        assert_selects(address, lines, selected).await;
    }
    // A list may be made at run time, be empty, and hold what no client can offer.
    let none = WebSockets::new().protocols(Vec::<String>::new());
    assert_selects(serve(refusing(none)).await, &["chat"], None).await;
    let invalid = WebSockets::new().protocols(["a b", "", "\r\n"].map(String::from));
    assert_selects(serve(refusing(invalid)).await, &["a b"], None).await;
}

async fn assert_selects(address: std::net::SocketAddr, lines: &[&str], selected: Option<&str>) {
    let name = "sec-websocket-protocol";
    let headers: Vec<_> = lines.iter().map(|line| format!("{name}: {line}")).collect();
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/", &headers)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, name), Vec::from_iter(selected), "{lines:?}");
    if lines.iter().all(|line| line.is_ascii()) {
        let headers: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        let response = extended_connect(address, "/", &headers).await;
        assert_eq!(response.status(), 200);
        let value = response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap());
        assert_eq!(value, selected, "{lines:?}");
    }
}

/// Returns an app that fails with HTTP exceptions before the handshake is answered, by every
/// mechanism.
fn unauthorized(layer: ExceptionLayer<tower_exception::config::Configured>) -> Router {
    fn exception() -> HttpException {
        HttpException::unauthorized("who are you?")
    }
    async fn raised() {
        exception().raise()
    }
    async fn raised_async() {
        exception().raise_async().await
    }
    Router::new()
        .route("/attached", any(async || exception()))
        .route("/raised", any(raised))
        .route("/raised-async", any(raised_async))
        .route(
            "/converted",
            axum::routing::any_service(service_fn(async |_: http::Request<axum::body::Body>| {
                Ok::<_, std::convert::Infallible>(Response::<Full<Bytes>>::from(exception()))
            })),
        )
        .layer(layer)
}

// B12
#[tokio::test]
async fn an_http_exception_has_the_same_code_before_the_handshake_as_after_it() {
    let websockets = WebSockets::new().close_http_exceptions();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(unauthorized(layer)).await;
    for path in ["/attached", "/raised", "/raised-async", "/converted"] {
        for protocol in PROTOCOLS {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(
                closed(&mut client).await,
                code(4401, "who are you?"),
                "{path}"
            );
            let report = reports.next().await.to_string();
            let expected = "Future Close(4401): 401: who are you?";
            assert!(report.ends_with(expected), "{report}");
        }
        // A request that asks for no WebSocket, and a handshake that is not valid.
        let plain = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        let invalid = handshake(path, &[]).replace("13", "8");
        for request in [plain, invalid] {
            let head = Raw::connect(address).await.ask(&request).await;
            assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
            let report = reports.next().await.to_string();
            assert!(
                report.ends_with("Future Status(401): 401: who are you?"),
                "{report}"
            );
        }
    }
    all_closed(&websockets).await;
}

/// Defaults to the HTTP response.
// B12
#[tokio::test]
async fn an_http_exception_is_a_response_unless_configured() {
    let address = serve(unauthorized(websocket_layer())).await;
    for path in ["/attached", "/raised", "/raised-async", "/converted"] {
        let head = Raw::connect(address).await.ask(&handshake(path, &[])).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    }
}

// B12
#[tokio::test]
async fn an_exception_that_stands_for_a_failure_is_closed_too() {
    let websockets = WebSockets::new().close_http_exceptions();
    let layer = layer_with(&websockets)
        .adopt_error_responses()
        .on(|_: Caught<SecretError>| HttpException::not_found("no such room"))
        .on_panic(|_: Caught<tower_exception::Panic>| StatusCode::IM_A_TEAPOT);
    let app = service_fn(async |request: Request<Incoming>| -> Result<_, BoxError> {
        match request.uri().path() {
            "/timeout" => Err(Elapsed::new().into()),
            "/handled" => Err(SecretError.into()),
            "/panic" => panic!("{SECRET_TEXT}"),
            "/unknown" => Err("unknown".into()),
            "/websocket" => Err(no_swearing().into()),
            _ => {
                let mut response = Response::new(Full::<Bytes>::from("no such page"));
                *response.status_mut() = StatusCode::NOT_FOUND;
                let text = "text/plain; charset=utf-8".parse().unwrap();
                response.headers_mut().insert("content-type", text);
                Ok(response)
            }
        }
    });
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        for (path, expected) in [
            ("/timeout", code(4504, "Gateway Timeout")),
            ("/handled", code(4404, "no such room")),
            ("/panic", code(4418, "I'm a teapot")),
            ("/adopted", code(4404, "no such page")),
            ("/websocket", code(1008, "no swearing")),
        ] {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(closed(&mut client).await, expected, "{path}");
        }
    }
    let head = Raw::connect(address)
        .await
        .ask(&handshake("/unknown", &[]))
        .await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
}

/// The two settings are about different exceptions.
// B12
#[tokio::test]
async fn both_settings_for_a_handshake_hold_at_once() {
    let websockets = WebSockets::new()
        .close_http_exceptions()
        .reject_handshake_with(StatusCode::FORBIDDEN);
    let app = service_fn(async |request: Request<Incoming>| {
        Err::<Response<Full<Bytes>>, BoxError>(match request.uri().path() {
            "/http" => HttpException::unauthorized("who are you?").into(),
            _ => no_swearing().into(),
        })
    });
    let address = serve(layer_with(&websockets).layer(app)).await;
    let mut client = connect(address, "/http").await;
    assert_eq!(closed(&mut client).await, code(4401, "who are you?"));
    let head = Raw::connect(address).await.ask(&handshake("/", &[])).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

/// An inner layer without the setting has rendered the exception. The outer layer closes.
// B12
#[tokio::test]
async fn an_outer_layer_may_close_for_an_inner_one() {
    let websockets = WebSockets::new().close_http_exceptions();
    let app = unauthorized(ExceptionLayer::new().observe(|_: &Caught, _| {}));
    let address = serve(app.layer(layer_with(&websockets))).await;
    for path in ["/attached", "/raised"] {
        let mut client = connect(address, path).await;
        assert_eq!(closed(&mut client).await, code(4401, "who are you?"));
    }
}

/// Returns the status line and `allow` of the response to a refused request, over HTTP/1.
async fn refused(address: std::net::SocketAddr, request: &str) -> (String, Vec<String>) {
    let mut client = Raw::connect(address).await;
    let head = client.ask(request).await;
    let allow = header(&head, "allow")
        .into_iter()
        .map(String::from)
        .collect();
    (head.lines().next().unwrap().to_owned(), allow)
}

// B13
#[tokio::test]
async fn a_malformed_handshake_is_refused_by_its_fault() {
    let address = serve(refusing(WebSockets::new())).await;
    let good = handshake("/", &[]);
    let key = format!("sec-websocket-key: {KEY}\r\n");
    let version = "sec-websocket-version: 13\r\n";
    let with_length = good.replace(version, &format!("{version}content-length: 0\r\n"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = with_length.replace("GET", method);
        let refused = refused(address, &request).await;
        assert_eq!(refused.0, "HTTP/1.1 405 Method Not Allowed", "{method}");
        assert_eq!(refused.1, ["GET"], "{method}");
    }
    for (request, status) in [
        // A header that may come once comes twice, alike or not.
        (good.replace(&key, &key.repeat(2)), 400),
        (
            good.replace(
                &key,
                &format!("{key}sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
            ),
            400,
        ),
        (
            good.replace(&key, &format!("sec-websocket-key: {KEY}, {KEY}\r\n")),
            400,
        ),
        (good.replace(version, &version.repeat(2)), 400),
        (
            good.replace(version, &format!("sec-websocket-version: 8\r\n{version}")),
            400,
        ),
        (good.replace("13", "8, 13"), 426),
        // HTTP/1.0 has no upgrades, so that the request asks for none.
        (good.replace("HTTP/1.1", "HTTP/1.0"), 403),
        // Lists may come in several lines.
        (
            good.replace(
                "connection: Upgrade",
                "connection: keep-alive\r\nconnection: x, UPGRADE",
            ),
            101,
        ),
        (
            good.replace(
                "upgrade: websocket",
                "upgrade: h2c\r\nupgrade: , WebSocket,",
            ),
            101,
        ),
    ] {
        let (line, allow) = refused(address, &request).await;
        assert_eq!(
            line.split(' ').nth(1).unwrap(),
            status.to_string(),
            "{request}"
        );
        assert!(allow.is_empty());
    }
    for (versions, status) in [
        (&["13"][..], 200),
        (&["8"], 400),
        (&["13", "13"], 400),
        (&["13", "8"], 400),
    ] {
        let headers: Vec<_> = versions
            .iter()
            .map(|version| ("sec-websocket-version", *version))
            .collect();
        let response = extended_connect(address, "/", &headers).await;
        assert_eq!(response.status(), status, "{versions:?}");
    }
}

/// The layer refuses nothing that the application accepts.
// B13
#[tokio::test]
async fn an_application_may_accept_what_the_layer_would_refuse() {
    let app = accepting(async |_io| WebSocketException::new(CloseCode::POLICY_VIOLATION).raise());
    let address = serve(websocket_layer().layer(app)).await;
    let key = format!("sec-websocket-key: {KEY}\r\n");
    let request = handshake("/", &[]).replace(&key, &key.repeat(2));
    let mut client = Raw::connect(address).await;
    let head = client.ask(&request).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.send(&masked_close(1008)).await;
    assert_eq!(client.rest().await.unwrap(), close_frame(1008, ""));
}

/// A request without a layer's handle, as the extractor refuses it, is still an upgrade.
// B13
#[tokio::test]
async fn a_service_without_websockets_refuses_with_its_own_status() {
    let route = any(async |_: WebSocketHandle| "unreachable");
    let address = serve(app(route, websocket_layer())).await;
    let plain = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let (line, _) = refused(address, plain).await;
    assert_eq!(line, "HTTP/1.1 426 Upgrade Required");
}
