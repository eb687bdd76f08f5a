//! The server that the page connects to.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    extract::{
        Request,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::{Html, Response},
    routing::{MethodRouter, any, any_service, get},
};
use tokio::net::TcpListener;
use tower::service_fn;
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, WebSocketException, WebSocketHandle,
    WebSockets,
};

/// The first message of the page, which the server echoes before it does anything else.
pub const FIRST_MESSAGE: &str = "hello";

/// A server that runs for as long as the test's runtime exists.
pub struct Server {
    pub address: SocketAddr,
    pub websockets: WebSockets,
}

impl Server {
    pub async fn start() -> Self {
        let websockets = WebSockets::new();
        let layer = ExceptionLayer::new()
            .with_websockets(websockets.clone())
            .on(|_: Caught<io::Error>| no_token());
        let app = Router::new()
            .route("/", get(page))
            .nest("/before", before())
            .nest("/after", after())
            .nest("/after/caught", after_and_caught())
            .route("/echo", any(echo))
            .route("/leaves-at-close", any(leaves_at_close))
            .layer(layer);
        let address = serve(app).await;
        Self {
            address,
            websockets,
        }
    }

    /// Returns the URL of a page with the origin of the server.
    pub fn page(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Serves `app` for as long as the runtime exists.
pub async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// Returns a page with the origin of the server.
pub async fn page() -> Html<&'static str> {
    Html("<!doctype html><title>Test</title>")
}

fn no_token() -> WebSocketException {
    WebSocketException::new(CloseCode::from_u16(4401).unwrap()).with_reason("no token")
}

fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing")
}

fn no_room() -> HttpException {
    HttpException::not_found("no such room")
}

fn before() -> Router {
    async fn raised(_: WebSocketUpgrade) {
        no_token().raise()
    }
    async fn raised_async(_: WebSocketUpgrade) {
        no_token().raise_async().await
    }
    async fn panicked(_: WebSocketUpgrade) {
        panic!("not for the page")
    }
    let returned = |_: WebSocketUpgrade| async { Err::<(), _>(no_token()) };
    let http = |_: WebSocketUpgrade| async { Err::<(), _>(no_room()) };
    // The rendering of the inner layer is provisional: the handler of the outer layer decides.
    let failing = service_fn(async |_: Request| Err::<Response, _>(io::Error::other("closed")));
    let handled = any_service(failing).layer(ExceptionLayer::new());
    Router::new()
        .route("/returned", any(returned))
        .route("/raised", any(raised))
        .route("/raised-async", any(raised_async))
        .route("/handled", handled)
        .route("/http", any(http))
        .route("/panic", any(panicked))
}

fn after() -> Router {
    fn route<F>(then: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static) -> MethodRouter
    where
        F: Future<Output = ()> + Send + 'static,
    {
        any(async move |upgrade: WebSocketUpgrade| {
            with_protocols(upgrade).on_upgrade(async move |mut socket| {
                echo_one(&mut socket).await;
                then(socket).await;
            })
        })
    }
    Router::new()
        .route("/raised", route(async |_| no_swearing().raise()))
        .route(
            "/raised-async",
            route(async |_| no_swearing().raise_async().await),
        )
        .route("/http", route(async |_| no_room().raise()))
        .route("/panic", route(async |_| panic!("not for the page")))
        .route("/dropped", route(async |_| ()))
}

fn after_and_caught() -> Router {
    fn route<F>(then: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static) -> MethodRouter
    where
        F: Future<Output = tower_exception::Result<()>> + Send + 'static,
    {
        any(
            async move |upgrade: WebSocketUpgrade, exceptions: WebSocketHandle| {
                with_protocols(upgrade).on_upgrade(exceptions.catch(async move |mut socket| {
                    echo_one(&mut socket).await;
                    then(socket).await
                }))
            },
        )
    }
    Router::new()
        .route("/returned", route(async |_| Err(no_swearing().into())))
        .route("/raised", route(async |_| no_swearing().raise()))
        .route(
            "/raised-async",
            route(async |_| no_swearing().raise_async().await),
        )
        .route("/http", route(async |_| Err(no_room().into())))
        .route("/panic", route(async |_| panic!("not for the page")))
        .route("/error", route(async |_| Err("not for the page".into())))
        .route("/ended", route(async |_| Ok(())))
}

fn with_protocols(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.protocols(["chat.v1"])
}

async fn echo_one(socket: &mut WebSocket) {
    let message = socket.recv().await.unwrap().unwrap();
    socket.send(message).await.unwrap();
}

/// Echoes texts to the end of the connection.
async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(_) = message {
                socket.send(message).await.unwrap();
            }
        }
    })
}

/// Drops the connection after a close frame, without a reply to it.
async fn leaves_at_close(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        echo_one(&mut socket).await;
        let message = socket.recv().await.unwrap().unwrap();
        assert!(matches!(message, Message::Close(_)), "{message:?}");
    })
}
