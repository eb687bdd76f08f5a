//! A layer, a tower service and checks that the apps of all frameworks share.

use std::net::SocketAddr;

use http_body_util::Full;
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Panic,
    bytes::Bytes,
    config::Configured,
    http::{Request, Response, StatusCode},
};

use crate::client::get;

pub const NOT_FOUND: &str = r#"{"detail":"Item not found"}"#;

/// Response to an error and to a panic that no handler matches.
const DEFAULT_500: &str = r#"{"detail":"Internal Server Error"}"#;

/// Response of [`configured`] to a panic.
const UNAVAILABLE: &str = r#"{"detail":"we are on it"}"#;

pub fn not_found() -> HttpException {
    HttpException::not_found("Item not found")
}

/// Returns a layer that makes a 410 of each 404, and a 503 of each panic.
pub fn configured() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on_status(StatusCode::NOT_FOUND, |caught: Caught<HttpException>| {
            let path = caught.request().uri().path().to_owned();
            HttpException::new(StatusCode::GONE).with_detail(path)
        })
        .on_panic(|_: Caught<Panic>| HttpException::service_unavailable("we are on it"))
}

/// A tower service, as a framework calls it.
pub async fn items<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, HttpException> {
    match request.uri().path() {
        "/item" => Ok(Response::new(Full::from("plumbus"))),
        "/raises" => not_found().raise(),
        "/panics" => panic!("on purpose"),
        _ => Err(not_found()),
    }
}

/// Checks an app whose handlers are below a plain layer.
pub async fn check_plain(address: SocketAddr, failing: &[&str]) {
    let raised = |_: &str| (404, NOT_FOUND.to_owned());
    check(address, failing, raised, (500, DEFAULT_500)).await;
}

/// Checks an app whose handlers are below the [`configured`] layer.
pub async fn check_configured(address: SocketAddr, failing: &[&str]) {
    let raised = |path: &str| (410, format!(r#"{{"detail":"{path}"}}"#));
    check(address, failing, raised, (503, UNAVAILABLE)).await;
}

async fn check(
    address: SocketAddr,
    failing: &[&str],
    raised: impl Fn(&str) -> (u16, String),
    panicked: (u16, &str),
) {
    assert_eq!(get(address, "/item").await, (200, "plumbus".to_owned()));
    for path in failing {
        assert_eq!(get(address, path).await, raised(path), "{path}");
    }
    let (status, text) = get(address, "/panics").await;
    assert_eq!((status, &*text), panicked);
}
