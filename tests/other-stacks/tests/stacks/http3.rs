//! HTTP/3, by h3 and quinn: an axum router below the layer, and a client of h3.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    routing::{get, post},
};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use h3::{client, error::StreamError, server};
use http::{HeaderValue, Response, Version, header::CONNECTION};
use quinn::{
    Endpoint,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::time::timeout;
use tower_exception::{Caught, ExceptionLayer, HttpException, Result};
use tower_exception_other_stacks::http3::respond;

use crate::shared::{NOT_FOUND, configured, not_found};

const LIMIT: Duration = Duration::from_secs(30);

/// A server of HTTP/3, and its certificate.
struct Server {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
}

impl Server {
    /// Serves `app` for as long as the runtime exists.
    fn start(app: Router) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = cert.der().clone();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h3".to_vec()];
        let config = QuicServerConfig::try_from(config).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(config));
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = endpoint.local_addr().unwrap();
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                tokio::spawn(serve_connection(incoming, app.clone()));
            }
        });
        Self {
            address,
            certificate,
        }
    }

    /// Sends a request on a connection of its own, and receives the whole response.
    async fn send(&self, request: http::Request<&'static str>) -> Result<Received, StreamError> {
        timeout(LIMIT, self.exchange(request))
            .await
            .expect("no response within 30 seconds")
    }

    async fn exchange(
        &self,
        request: http::Request<&'static str>,
    ) -> Result<Received, StreamError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h3".to_vec()];
        let config = QuicClientConfig::try_from(config).unwrap();
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
        let connection = endpoint
            .connect(self.address, "localhost")
            .unwrap()
            .await
            .unwrap();
        let (mut driver, mut sender) = client::new(h3_quinn::Connection::new(connection))
            .await
            .unwrap();
        tokio::spawn(async move { driver.wait_idle().await });

        let (head, body) = request.into_parts();
        let mut stream = sender
            .send_request(http::Request::from_parts(head, ()))
            .await?;
        stream.send_data(Bytes::from(body)).await?;
        stream.finish().await?;
        let response = stream.recv_response().await?;
        let mut body = BytesMut::new();
        while let Some(mut data) = stream.recv_data().await? {
            body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        Ok(response.map(|()| String::from_utf8(body.into()).unwrap()))
    }

    async fn get(&self, path: &str) -> Result<Received, StreamError> {
        let request = http::Request::get(format!("https://localhost{path}"));
        self.send(request.body("").unwrap()).await
    }

    async fn get_text(&self, path: &str) -> (u16, String) {
        let received = self.get(path).await.unwrap();
        (received.status().as_u16(), received.into_body())
    }
}

type Received = Response<String>;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

async fn serve_connection(incoming: quinn::Incoming, app: Router) {
    let connection = h3_quinn::Connection::new(incoming.await.unwrap());
    let mut connection = server::Connection::new(connection).await.unwrap();
    while let Ok(Some(resolver)) = connection.accept().await {
        let app = app.clone();
        tokio::spawn(async move {
            let (request, stream) = resolver.resolve_request().await.unwrap();
            let _ = respond(request, stream, app).await;
        });
    }
}

async fn item() -> &'static str {
    "plumbus"
}

async fn returns() -> Result<()> {
    Err(not_found())?
}

async fn attached() -> HttpException {
    not_found()
}

async fn raises() {
    not_found().raise()
}

async fn raises_async() {
    tokio::task::yield_now().await;
    not_found().raise_async().await
}

async fn panics() {
    panic!("on purpose")
}

async fn version(request: Request) -> String {
    format!("{:?}", request.version())
}

async fn echo(body: String) -> String {
    body
}

async fn closes() -> HttpException {
    not_found().with_header(CONNECTION, HeaderValue::from_static("close"))
}

/// Responds with one chunk, and fails in place of the next.
fn streams(fail: fn() -> io::Error) -> Body {
    Body::from_stream(stream::iter([0, 1]).then(move |chunk| async move {
        tokio::task::yield_now().await;
        match chunk {
            0 => Ok("plum"),
            _ => Err(fail()),
        }
    }))
}

async fn cut() -> Body {
    streams(|| io::Error::other("gone"))
}

async fn raises_late() -> Body {
    streams(|| not_found().raise())
}

fn routes() -> Router {
    Router::new()
        .route("/item", get(item))
        .route("/returns", get(returns))
        .route("/attached", get(attached))
        .route("/raises", get(raises))
        .route("/raises_async", get(raises_async))
        .route("/panics", get(panics))
        .route("/version", get(version))
        .route("/echo", post(echo))
        .route("/closes", get(closes))
        .route("/cut", get(cut))
        .route("/raises_late", get(raises_late))
}

const FAILING: [&str; 4] = ["/returns", "/attached", "/raises", "/raises_async"];

#[tokio::test]
async fn exceptions_and_panics_are_responses_over_http_3() {
    let server = Server::start(routes().layer(ExceptionLayer::new()));
    for path in FAILING {
        let received = server.get(path).await.unwrap();
        assert_eq!(received.version(), Version::HTTP_3);
        assert_eq!(
            received.headers()["content-type"],
            "application/json",
            "{path}"
        );
        assert_eq!(
            (received.status().as_u16(), &**received.body()),
            (404, NOT_FOUND),
            "{path}"
        );
    }
    let text = r#"{"detail":"Internal Server Error"}"#;
    assert_eq!(server.get_text("/panics").await, (500, text.to_owned()));
}

#[tokio::test]
async fn handlers_reply_over_http_3() {
    let server = Server::start(routes().layer(configured()));
    for path in FAILING {
        let text = format!(r#"{{"detail":"{path}"}}"#);
        assert_eq!(server.get_text(path).await, (410, text), "{path}");
    }
    let text = r#"{"detail":"we are on it"}"#;
    assert_eq!(server.get_text("/panics").await, (503, text.to_owned()));
}

#[tokio::test]
async fn nothing_changes_over_http_3_if_nothing_is_raised() {
    for app in [
        routes(),
        routes().layer(ExceptionLayer::new()),
        routes().layer(configured()),
    ] {
        let server = Server::start(app);
        assert_eq!(server.get_text("/item").await, (200, "plumbus".to_owned()));
        assert_eq!(
            server.get_text("/version").await,
            (200, "HTTP/3.0".to_owned())
        );
        let request = http::Request::post("https://localhost/echo")
            .body("grumbo")
            .unwrap();
        assert_eq!(server.send(request).await.unwrap().body(), "grumbo");
    }
}

/// RFC 9114, section 4.2: a message with such a header is malformed.
#[tokio::test]
async fn a_connection_header_of_an_exception_is_not_sent_over_http_3() {
    let server = Server::start(routes().layer(ExceptionLayer::new()));
    let received = server.get("/closes").await.unwrap();
    assert_eq!(received.status(), 404);
    assert!(!received.headers().contains_key(CONNECTION), "{received:?}");
}

#[tokio::test]
async fn a_body_that_fails_resets_the_stream() {
    for layer in [
        routes().layer(ExceptionLayer::new()),
        routes().layer(configured()),
    ] {
        let server = Server::start(layer);
        for path in ["/cut", "/raises_late"] {
            let received = server.get(path).await;
            let Err(StreamError::RemoteTerminate { code, .. }) = received else {
                panic!("{path}: {received:?}");
            };
            assert_eq!(code, h3::error::Code::H3_INTERNAL_ERROR, "{path}");
        }
    }
}

#[tokio::test]
async fn a_handler_sees_the_version_of_the_request() {
    let version = |caught: Caught<HttpException>| {
        HttpException::bad_gateway(format!("{:?}", caught.request().version()))
    };
    let server = Server::start(routes().layer(ExceptionLayer::new().on(version)));
    let text = r#"{"detail":"HTTP/3.0"}"#;
    assert_eq!(server.get_text("/raises").await, (502, text.to_owned()));
}
