//! Malformed handshakes.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, service_fn};
use tower_exception::WebSockets;

use crate::support::websocket::*;

/// Returns malformed handshakes, each with its name and the expected status.
fn malformed() -> Vec<(&'static str, String, u16)> {
    let good = handshake("/", &[]);
    let key = format!("sec-websocket-key: {KEY}\r\n");
    let with_key = |value: &str| good.replace(&key, &format!("sec-websocket-key: {value}\r\n"));
    let version = "sec-websocket-version: 13\r\n";
    let connection = "connection: Upgrade\r\n";
    vec![
        ("no key", good.replace(&key, ""), 400),
        ("an empty key", with_key(""), 400),
        ("a short key", with_key("dGhlIHNhbXBsZQ=="), 400),
        ("a long key", with_key(&format!("{KEY}AAAA")), 400),
        ("no base64", with_key("dGhlIHNhbXBsZSBub25j*Q=="), 400),
        ("no padding", with_key("dGhlIHNhbXBsZSBub25jZQ"), 400),
        ("no version", good.replace(version, ""), 426),
        ("another version", good.replace("13", "8"), 426),
        ("a list of versions", good.replace("13", "13, 8"), 426),
        (
            "two versions",
            good.replace(version, &format!("{version}sec-websocket-version: 8\r\n")),
            400,
        ),
        (
            "a version twice",
            good.replace(version, &version.repeat(2)),
            400,
        ),
        (
            "two keys",
            good.replace(
                &key,
                &format!("{key}sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
            ),
            400,
        ),
        ("a key twice", good.replace(&key, &key.repeat(2)), 400),
        (
            "POST",
            good.replace("GET", "POST")
                .replace(version, &format!("{version}content-length: 0\r\n")),
            405,
        ),
        ("no connection", good.replace(connection, ""), 400),
        (
            "another connection",
            good.replace(connection, "connection: keep-alive\r\n"),
            400,
        ),
    ]
}

#[tokio::test]
async fn a_malformed_handshake_with_an_exception_is_a_4xx() {
    let refusing = service_fn(
        async |request: Request<Incoming>| match request.uri().path() {
            "/attached" => Ok(Response::<Full<Bytes>>::from(no_swearing())),
            _ => Err(no_swearing()),
        },
    );
    let websockets = WebSockets::new();
    let (layer, mut reports) = observed(layer_with(&websockets));
    let address = serve(layer.layer(refusing)).await;
    for (name, request, status) in malformed() {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&request).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {head}"
        );
        let (versions, protocols): (&[_], &[_]) = match status {
            426 => (&["13"], &["websocket"]),
            _ => (&[], &[]),
        };
        assert_eq!(header(&head, "sec-websocket-version"), versions, "{name}");
        assert_eq!(header(&head, "upgrade"), protocols, "{name}");
        let methods: &[_] = if status == 405 { &["GET"] } else { &[] };
        assert_eq!(header(&head, "allow"), methods, "{name}");
        assert_eq!(
            reports.next().await,
            format!("Returned Future Status({status}): 1008: no swearing"),
            "{name}"
        );
        let mut client = Raw::connect(address).await;
        let attached = client.ask(&request.replace(" / ", " /attached ")).await;
        assert_eq!(attached.lines().next(), head.lines().next(), "{name}");
        assert_eq!(
            reports.next().await,
            format!("Attached Future Status({status}): 1008: no swearing"),
            "{name}"
        );
    }
    let version = ("sec-websocket-version", "8");
    let response = extended_connect(address, "/", &[version]).await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert_eq!(websockets.count(), 0);
}

#[tokio::test]
async fn a_malformed_handshake_without_an_exception_reaches_the_application() {
    let app = service_fn(async |_: Request<Incoming>| {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("as you like")))
    });
    let address = serve(websocket_layer().layer(app)).await;
    for (name, request, _) in malformed() {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&request).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{name}: {head}");
        assert_eq!(client.take(11).await, b"as you like", "{name}");
    }
}

/// An application may accept a handshake that the layer would refuse. It has a WebSocket then.
#[tokio::test]
async fn a_lenient_application_has_a_websocket() {
    let app = accepting(async |_io| no_swearing().raise());
    let (layer, mut reports) = observed(websocket_layer());
    let address = serve(layer.layer(app)).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/", &[]).replace("13", "8")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.send(&masked_close(1008)).await;
    assert_eq!(
        client.rest().await.unwrap(),
        close_frame(1008, "no swearing")
    );
    assert_eq!(
        reports.next().await,
        "Raised WebSocket Close(1008): 1008: no swearing"
    );
}
