//! Failures before the handshake is answered.

use std::{
    io,
    panic::panic_any,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::{Pending, pending};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, Service, service_fn};
use tower_exception::{
    Caught, CloseCode, Exception, ExceptionLayer, HttpException, WebSocketException, WebSockets,
    render::Rendered,
};

use crate::support::websocket::*;

type AppResult = Result<Response<Full<Bytes>>, BoxError>;

async fn failing(request: Request<Incoming>) -> AppResult {
    match request.uri().path() {
        "/returned" => Err(no_swearing().into()),
        "/either" => Err(Exception::from(no_swearing()).into()),
        "/hidden" => Err(io::Error::other(io::Error::other(no_swearing())).into()),
        "/raised" => no_swearing().raise(),
        "/raised-async" => no_swearing().raise_async().await,
        "/panic-any" => panic_any(no_swearing()),
        "/task" => Err(tokio::spawn(async { no_swearing().raise() })
            .await
            .map(|()| "done")
            .unwrap_err()
            .into()),
        "/attached" => Ok(no_swearing().into()),
        "/http" => Err(HttpException::unauthorized("who are you?").into()),
        "/secret" => Err(SecretError.into()),
        _ => Ok(Response::new(Full::default())),
    }
}

#[tokio::test]
async fn a_websocket_exception_by_every_mechanism_becomes_a_close_frame() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(layer.layer(service_fn(failing))).await;
    for protocol in PROTOCOLS {
        for (path, mechanism) in [
            ("/returned", "Returned"),
            ("/either", "Returned"),
            ("/hidden", "Returned"),
            ("/raised", "Raised"),
            ("/raised-async", "RaisedAsync"),
            ("/panic-any", "Raised"),
            ("/task", "Raised"),
            ("/attached", "Attached"),
        ] {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(
                closed(&mut client).await,
                code(1008, "no swearing"),
                "{path}"
            );
            assert_eq!(
                reports.next().await,
                format!("{mechanism} Future Close(1008): 1008: no swearing"),
                "{path}"
            );
        }
    }
    reports.assert_none();
    all_closed(&websockets).await;
}

#[tokio::test]
async fn a_websocket_exception_in_call_becomes_a_close_frame() {
    let raising = |_: Request<Incoming>| -> std::future::Ready<AppResult> { no_swearing().raise() };
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(layer.layer(service_fn(raising))).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    assert_eq!(
        reports.next().await,
        "Raised Call Close(1008): 1008: no swearing"
    );
}

#[tokio::test]
async fn a_websocket_exception_in_poll_ready_becomes_a_close_frame() {
    #[derive(Clone)]
    struct Broken;
    impl Service<Request<Incoming>> for Broken {
        type Response = Response<Full<Bytes>>;
        type Error = WebSocketException;
        type Future = Pending<Result<Self::Response, Self::Error>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Err(no_swearing()))
        }
        fn call(&mut self, _: Request<Incoming>) -> Self::Future {
            pending()
        }
    }
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(layer.layer(Broken)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        assert_eq!(
            reports.next().await,
            "Returned PollReady Close(1008): 1008: no swearing"
        );
    }
}

#[tokio::test]
async fn an_http_exception_or_an_error_is_an_http_response() {
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(layer.layer(service_fn(failing))).await;
    for (path, status) in [("/http", 401), ("/secret", 500)] {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&handshake(path, &[])).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let response = extended_connect(address, path, &[]).await;
        assert_eq!(response.status(), status);
    }
    for _ in 0..2 {
        let expected = "Returned Future Status(401): 401: who are you?";
        assert_eq!(reports.next().await, expected);
    }
    assert_eq!(websockets.count(), 0);
}

#[tokio::test]
async fn the_bytes_conform_to_rfc_6455() {
    let address = serve(websocket_layer().layer(service_fn(failing))).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/returned", &[])).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "connection"), ["upgrade"]);
    assert_eq!(header(&head, "upgrade"), ["websocket"]);
    assert_eq!(header(&head, "sec-websocket-accept"), [ACCEPT]);
    assert_eq!(header(&head, "sec-websocket-extensions"), [""; 0]);
    client.send(&masked_close(1008)).await;
    assert_eq!(
        client.rest().await.unwrap(),
        close_frame(1008, "no swearing")
    );
}

#[tokio::test]
async fn the_first_offered_subprotocol_is_selected() {
    let address = serve(websocket_layer().layer(service_fn(failing))).await;
    let none: &[&str] = &[];
    for (offered, selected) in [
        (none, none),
        (&["chat"], &["chat"]),
        (&["chat, superchat"], &["chat"]),
        (&["superchat,chat"], &["superchat"]),
        (&["one", "two, three"], &["one"]),
        (&[" , ,, late ", "later"], &["late"]),
        (&["", "v1.json"], &["v1.json"]),
        (&[","], none),
    ] {
        let lines = offered.iter();
        let lines: Vec<_> = lines
            .map(|line| format!("Sec-WebSocket-Protocol: {line}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let mut client = Raw::connect(address).await;
        let head = client.ask(&handshake("/returned", &lines)).await;
        assert_eq!(
            header(&head, "sec-websocket-protocol"),
            selected,
            "{offered:?}"
        );
        assert_eq!(client.take(2).await[0], CLOSE);
    }
    let offer = ("sec-websocket-protocol", "chat, superchat");
    let response = extended_connect(address, "/returned", &[offer]).await;
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
}

#[tokio::test]
async fn handlers_apply_before_the_handshake() {
    let websockets = WebSockets::new();
    let layer = layer_with(&websockets)
        .on(
            |exception: Caught<WebSocketException>| match exception.request().uri().path() {
                "/another" => Exception::from(exception.clone().with_reason("mind your language")),
                _ => Exception::from(HttpException::forbidden("not with us")),
            },
        )
        .on_status(
            StatusCode::UNAUTHORIZED,
            async |_: Caught<HttpException>| {
                tokio::task::yield_now().await;
                WebSocketException::new(CloseCode::UNAUTHORIZED).with_reason("who are you?")
            },
        )
        .on(|_: Caught<SecretError>| WebSocketException::new(CloseCode::INTERNAL_ERROR));
    let (layer, mut reports) = observed(layer);
    let app = service_fn(async |request: Request<Incoming>| -> AppResult {
        match request.uri().path() {
            "/status" => Err(HttpException::unauthorized("who are you?").into()),
            "/error" => Err(SecretError.into()),
            _ => Err(no_swearing().into()),
        }
    });
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        for (path, close, expected) in [
            (
                "/another",
                code(1008, "mind your language"),
                "Returned Future Close(1008): 1008: no swearing",
            ),
            (
                "/status",
                code(3000, "who are you?"),
                "Returned Future Close(3000): 401: who are you?",
            ),
        ] {
            let mut client = connect_over(protocol, address, path).await;
            assert_eq!(closed(&mut client).await, close);
            assert_eq!(reports.next().await, expected);
        }
        let mut client = connect_over(protocol, address, "/error").await;
        assert_eq!(closed(&mut client).await, code(1011, ""));
        reports.next().await;
    }
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/http", &[])).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let expected = "Returned Future Status(403): 1008: no swearing";
    assert_eq!(reports.next().await, expected);
    assert_eq!(extended_connect(address, "/http", &[]).await.status(), 403);
    assert_eq!(reports.next().await, expected);
    reports.assert_none();
    all_closed(&websockets).await;
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500() {
    let layer = websocket_layer().on(|_: Caught<WebSocketException>| -> StatusCode {
        panic!("{SECRET_TEXT}");
    });
    let (layer, mut reports) = observed(layer);
    let address = serve(layer.layer(service_fn(failing))).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/returned", &[])).await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert_eq!(
        reports.next().await,
        format!("Panicked Handling Status(500): panicked: {SECRET_TEXT}")
    );
    assert_eq!(
        reports.next().await,
        "Returned Future Status(500): 1008: no swearing"
    );
    reports.assert_none();
}

#[tokio::test]
async fn reject_handshake_with_is_an_http_response() {
    let websockets = WebSockets::new().reject_handshake_with(StatusCode::NOT_ACCEPTABLE);
    let layer = layer_with(&websockets);
    let (layer, mut reports) = observed(layer);
    let address = serve(layer.layer(service_fn(failing))).await;
    for path in ["/returned", "/raised-async", "/attached"] {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&handshake(path, &[])).await;
        assert!(head.starts_with("HTTP/1.1 406 "), "{head}");
        assert_eq!(header(&head, "sec-websocket-accept"), [""; 0]);
        let body = r#"{"detail":"no swearing"}"#;
        assert_eq!(client.take(body.len()).await, body.as_bytes());
        assert!(
            reports
                .next()
                .await
                .to_string()
                .ends_with("Status(406): 1008: no swearing")
        );
        let response = extended_connect(address, path, &[]).await;
        assert_eq!(response.status(), 406);
        assert!(
            reports
                .next()
                .await
                .to_string()
                .ends_with("Status(406): 1008: no swearing")
        );
    }
    assert_eq!(websockets.count(), 0);
}

#[tokio::test]
async fn an_adopted_rejection_may_become_a_close_frame() {
    let layer = websocket_layer()
        .adopt_error_responses()
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            WebSocketException::new(CloseCode::from_u16(4404).unwrap())
        });
    let app = service_fn(async |_: Request<Incoming>| -> AppResult {
        let response = Response::builder().status(StatusCode::NOT_FOUND);
        Ok(response.body(Full::default())?)
    });
    let (layer, mut reports) = observed(layer);
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(4404, ""));
        assert_eq!(
            reports.next().await,
            "Adopted Future Close(4404): 404: Not Found"
        );
    }
}

#[tokio::test]
async fn a_renderer_applies_to_http_only() {
    fn in_capitals(exception: &HttpException, _: &Caught) -> Rendered {
        let body = exception.to_string().to_uppercase();
        Rendered::new(HeaderValue::from_static("text/plain"), body)
    }
    let layer = ExceptionLayer::new()
        .with_websockets(WebSockets::new())
        .with_renderer(in_capitals);
    let address = serve(layer.layer(service_fn(failing))).await;
    for path in ["/returned", "/attached"] {
        let mut client = connect(address, path).await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    }
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/http", &[])).await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let body = "401: WHO ARE YOU?";
    assert_eq!(client.take(body.len()).await, body.as_bytes());
}
