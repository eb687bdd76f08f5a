//! tower-sessions, on axum's server.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use http::{HeaderMap, header::SET_COOKIE};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_exception::{ExceptionLayer, HttpException, Result};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::{
    client::receive,
    shared::{NOT_FOUND, configured, not_found},
};

/// Puts something into the session, so that it has to be saved.
async fn remember(session: &Session) -> Result<()> {
    session.insert("user", "rick").await?;
    Ok(())
}

async fn item(session: Session) -> Result<&'static str> {
    remember(&session).await?;
    Ok("plumbus")
}

async fn untouched() -> &'static str {
    "plumbus"
}

async fn returns(session: Session) -> Result<()> {
    remember(&session).await?;
    Err(not_found())?
}

async fn raises(session: Session) -> Result<()> {
    remember(&session).await?;
    not_found().raise()
}

async fn raises_async(session: Session) -> Result<()> {
    remember(&session).await?;
    not_found().raise_async().await
}

async fn panics(session: Session) -> Result<()> {
    remember(&session).await?;
    panic!("on purpose")
}

fn routes() -> Router {
    Router::new()
        .route("/item", get(item))
        .route("/untouched", get(untouched))
        .route("/returns", get(returns))
        .route("/raises", get(raises))
        .route("/raises_async", get(raises_async))
        .route("/panics", get(panics))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

fn sessions() -> SessionManagerLayer<MemoryStore> {
    SessionManagerLayer::new(MemoryStore::default())
}

fn has_cookie(headers: &HeaderMap) -> bool {
    headers.get_all(SET_COOKIE).iter().count() == 1
}

const FAILING: [&str; 3] = ["/returns", "/raises", "/raises_async"];

#[tokio::test]
async fn a_session_outside_of_the_layer_is_saved_whatever_fails() {
    let chained = routes().layer(ExceptionLayer::new()).layer(sessions());
    let one_stack = routes().layer(
        ServiceBuilder::new()
            .layer(sessions())
            .layer(ExceptionLayer::new()),
    );
    for app in [chained, one_stack] {
        let address = serve(app).await;
        for path in FAILING {
            let (status, headers, text) = receive(address, path).await.unwrap();
            assert_eq!((status, &*text), (404, NOT_FOUND), "{path}");
            assert!(has_cookie(&headers), "{path}: {headers:?}");
        }
        let (status, headers, text) = receive(address, "/item").await.unwrap();
        assert_eq!((status, &*text), (200, "plumbus"));
        assert!(has_cookie(&headers), "{headers:?}");
        let (status, headers, text) = receive(address, "/untouched").await.unwrap();
        assert_eq!((status, &*text), (200, "plumbus"));
        assert!(!has_cookie(&headers), "{headers:?}");
    }
}

/// tower-sessions does not save the session of a server error.
#[tokio::test]
async fn a_session_outside_of_the_layer_is_not_saved_by_a_server_error() {
    let app = routes().layer(ExceptionLayer::new()).layer(sessions());
    let (status, headers, _) = receive(serve(app).await, "/panics").await.unwrap();
    assert_eq!(status, 500);
    assert!(!has_cookie(&headers), "{headers:?}");
}

#[tokio::test]
async fn a_session_inside_of_the_layer_is_lost_if_something_unwinds_or_is_raised() {
    let app = routes().layer(sessions()).layer(ExceptionLayer::new());
    let address = serve(app).await;
    for (path, is_saved) in [
        ("/returns", true),
        ("/raises", false),
        ("/raises_async", false),
    ] {
        let (status, headers, text) = receive(address, path).await.unwrap();
        assert_eq!((status, &*text), (404, NOT_FOUND), "{path}");
        assert_eq!(has_cookie(&headers), is_saved, "{path}: {headers:?}");
    }
}

/// A handler of the layer replaces the response that has the cookie.
#[tokio::test]
async fn a_handler_outside_of_the_session_loses_no_cookie() {
    let app = routes().layer(
        ServiceBuilder::new()
            .layer(configured())
            .layer(sessions())
            .layer(ExceptionLayer::new()),
    );
    let address = serve(app).await;
    for path in FAILING {
        let (status, headers, text) = receive(address, path).await.unwrap();
        assert_eq!((status, text), (410, format!(r#"{{"detail":"{path}"}}"#)));
        assert!(has_cookie(&headers), "{path}: {headers:?}");
    }
}

/// The extractor's rejection is a 500 with a text.
#[tokio::test]
async fn a_missing_session_layer_is_adopted() {
    let app = routes().layer(ExceptionLayer::new().adopt_error_responses());
    let (status, _, text) = receive(serve(app).await, "/item").await.unwrap();
    let expected = HttpException::internal_server_error("").status();
    assert_eq!(status, expected.as_u16());
    assert!(text.starts_with(r#"{"detail":"#), "{text}");
}
