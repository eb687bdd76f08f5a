//! Negotiation in layers, for WebSockets and gRPC, and with headers of any size.

use std::fmt::Write as _;

use axum::{
    Router,
    extract::ws::WebSocketUpgrade,
    response::Response,
    routing::{any, get, post},
};
use http::{
    Method,
    header::{HeaderValue, VARY},
};
use tower::ServiceBuilder;
use tower_exception::{
    Caught, ExceptionLayer, HttpException, WebSockets,
    config::Configured,
    render::{Html, Json, Negotiated, Problem, Render, Rendered, Text, WithMediaType},
};

use crate::support::{
    PROTOCOLS, Protocol, Received, Server, problem_document::problem_in, request, within,
};

fn forms() -> Negotiated {
    Negotiated::new(Problem::new()).or(Html::new()).or(Text)
}

fn layer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_renderer(forms())
}

async fn gone() -> HttpException {
    HttpException::gone("sold out")
}

fn app() -> Router {
    Router::new().route("/", get(gone))
}

async fn ask(server: &Server, lines: &[&str]) -> Received {
    let mut request = request(Method::GET, "/");
    for line in lines {
        request
            .headers_mut()
            .append("accept", line.parse().unwrap());
    }
    server.send(request).await
}

fn form(received: &Received) -> &str {
    received.header("content-type").unwrap()
}

#[tokio::test]
async fn all_lines_of_the_header_count() {
    let server = Server::start(app().layer(layer())).await;
    let received = ask(&server, &["image/png, text/html;q=0.1", "text/plain;q=0.2"]).await;
    assert_eq!(form(&received), "text/plain; charset=utf-8");
    let received = ask(&server, &["text/html", "text"]).await;
    assert_eq!(form(&received), "application/problem+json");
}

#[tokio::test]
async fn only_the_accept_header_is_stored() {
    let renderer = |_: &HttpException, caught: &Caught| {
        assert!(caught.request().headers().is_none());
        Rendered::new(HeaderValue::from_static("text/x"), "x")
    };
    let negotiated = Negotiated::new(Problem::new()).or(WithMediaType::new("text/x", renderer));
    let layer = ExceptionLayer::new().with_renderer(negotiated);
    let server = Server::start(app().layer(layer)).await;
    assert_eq!(form(&ask(&server, &["text/*"]).await), "text/x");
}

/// A renderer of its own that calls one that negotiates.
struct Wrapped(Negotiated);

impl Render for Wrapped {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        self.0.render(exception, caught)
    }

    fn negotiates(&self) -> bool {
        self.0.negotiates()
    }
}

#[tokio::test]
async fn settings_in_any_order_negotiate() {
    let layers = [
        layer().capture_headers(),
        ExceptionLayer::new()
            .capture_headers()
            .with_renderer(forms()),
        ExceptionLayer::new().capture::<u8>().with_renderer(forms()),
        layer().with_renderer(Json).with_renderer(forms()),
        ExceptionLayer::new().with_renderer(Wrapped(forms())),
    ];
    for layer in layers {
        let server = Server::start(app().layer(layer)).await;
        let received = ask(&server, &["text/plain"]).await;
        assert_eq!(form(&received), "text/plain; charset=utf-8");
    }
}

#[tokio::test]
async fn a_layer_that_negotiates_in_another_one_varies_once() {
    let server = Server::start(app().layer(layer()).layer(layer())).await;
    let received = ask(&server, &["text/html"]).await;
    assert_eq!(form(&received), "text/html; charset=utf-8");
    assert_eq!(received.headers.get_all(VARY).iter().count(), 1);
}

#[tokio::test]
async fn the_reply_of_a_handler_has_the_form_that_the_client_accepts() {
    let layer = layer().on(|_: Caught<HttpException>| HttpException::bad_gateway("handled"));
    let server = Server::start(app().layer(layer)).await;
    let received = ask(&server, &["text/plain"]).await;
    assert_eq!(received.text(), "502 Bad Gateway: handled\n");
    assert_eq!(received.header("vary"), Some("accept"));
}

#[tokio::test]
async fn a_rejected_handshake_has_the_form_that_the_client_accepts() {
    async fn before(_: WebSocketUpgrade) -> Response {
        HttpException::forbidden("not you").raise()
    }
    let app = Router::new().route("/", any(before));
    let layer = layer().with_websockets(WebSockets::new());
    let server = Server::start(app.layer(layer)).await;
    let mut request = request(Method::GET, "/");
    for (name, value) in [
        ("accept", "text/plain"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let received = server.send(request).await;
    assert_eq!(received.text(), "403 Forbidden: not you\n");
    assert_eq!(received.header("vary"), Some("accept"));
}

#[tokio::test]
async fn a_grpc_client_receives_a_status_whatever_it_accepts() {
    let app = Router::new().route("/", post(gone));
    let server = Server::start(app.layer(layer())).await;
    let mut request = request(Method::POST, "/");
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("accept", "text/html"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let mut client = server.connect(Protocol::Http2).await;
    let received = client.exchange(request).await.unwrap();
    assert_eq!(received.status, 200);
    assert_eq!(form(&received), "application/grpc");
    assert_eq!(received.header("grpc-message"), Some("sold out"));
    assert_eq!(received.header("vary"), None);
}

#[tokio::test]
async fn a_header_of_any_size_is_answered_over_both_versions() {
    let server = Server::start(app().layer(layer())).await;
    let mut ranges = String::new();
    for number in 0..10_000 {
        write!(ranges, "a/{number},").unwrap();
    }
    let parameters = format!("text/html{}", ";a=b".repeat(16_000));
    let quoted = format!("text/html;a=\"{}", "\\\"".repeat(32_000));
    for (accept, expected) in [
        (format!("{ranges}text/plain"), "text/plain; charset=utf-8"),
        (",".repeat(64 * 1024), "application/problem+json"),
        (parameters, "application/problem+json"),
        (quoted, "application/problem+json"),
        ("a".repeat(64 * 1024), "application/problem+json"),
        (
            format!("{}text/html", "\t ".repeat(32 * 1024)),
            "text/html; charset=utf-8",
        ),
    ] {
        for protocol in PROTOCOLS {
            let received = ask_over(protocol, &server, accept.as_bytes()).await;
            assert_eq!(received.status, 410);
            assert_eq!(form(&received), expected, "{protocol:?} {}", &accept[..20]);
            if expected == "application/problem+json" {
                problem_in(&received);
            }
        }
    }
}

async fn ask_over(protocol: Protocol, server: &Server, accept: &[u8]) -> Received {
    let mut request = request(Method::GET, "/");
    let accept = HeaderValue::from_bytes(accept).unwrap();
    request.headers_mut().insert("accept", accept);
    let mut client = server.connect(protocol).await;
    client.exchange(request).await.unwrap()
}

#[tokio::test]
async fn bytes_that_are_no_text_get_the_first_form() {
    let server = Server::start(app().layer(layer())).await;
    for protocol in PROTOCOLS {
        // Other control characters cannot be sent (RFC 9110, section 5.5), as below.
        for accept in [
            &b"text/html\t\xff"[..],
            b"\x80\xfe/html",
            b"text/html;a=\"\xff\x80",
        ] {
            let received = ask_over(protocol, &server, accept).await;
            assert_eq!(
                problem_in(&received)["status"],
                410,
                "{protocol:?} {accept:?}"
            );
        }
        let quoted = ask_over(protocol, &server, b"text/html;a=\"\t\xff\", text/plain").await;
        assert_eq!(form(&quoted), "text/plain; charset=utf-8");
    }
}

#[tokio::test]
async fn control_characters_in_the_header_stop_at_the_http_library() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let server = Server::start(app().layer(layer())).await;
    for control in (0..32_u8)
        .chain([127])
        .filter(|byte| !b"\t\r\n".contains(byte))
    {
        let mut socket = tokio::net::TcpStream::connect(server.address())
            .await
            .unwrap();
        let mut bytes = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: a".to_vec();
        bytes.extend([control]);
        bytes.extend(b"/b\r\n\r\n");
        socket.write_all(&bytes).await.unwrap();
        let mut response = String::new();
        within(socket.read_to_string(&mut response)).await.unwrap();
        assert!(
            response.starts_with("HTTP/1.1 400 "),
            "{control}: {response}"
        );
    }
    // The server serves on.
    assert_eq!(
        form(&ask(&server, &["text/plain"]).await),
        "text/plain; charset=utf-8"
    );
}

#[tokio::test]
async fn a_service_of_tower_negotiates_over_both_versions() {
    let fails = tower::service_fn(async |_: http::Request<hyper::body::Incoming>| {
        Err::<http::Response<String>, _>(HttpException::gone("sold out"))
    });
    let server = Server::start(ServiceBuilder::new().layer(layer()).service(fails)).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        let mut request = request(Method::GET, "/");
        let accept = HeaderValue::from_static("text/plain");
        request.headers_mut().insert("accept", accept);
        assert_eq!(
            client.exchange(request).await.unwrap().to_string(),
            "410 | content-length: 19 | content-type: text/plain; charset=utf-8 | vary: accept \
             | 410 Gone: sold out\n"
        );
    }
}
