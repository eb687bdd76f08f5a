//! warp 0.4: its filters below the layer, on hyper's server.

use std::{convert::Infallible, io, net::SocketAddr};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tokio_tungstenite::{connect_async, tungstenite};
use tower::{Layer, Service};
use tower_exception::{
    CloseCode, ExceptionLayer, HttpException, WebSocketException, WebSocketHandle, WebSockets,
    config::LayerConfig,
};
use warp::{
    Filter, Rejection, Reply,
    reply::Response,
    ws::{WebSocket, Ws},
};

use crate::{
    client::{get, receive},
    shared::{NOT_FOUND, check_configured, check_plain, configured, not_found},
};

/// An [`HttpException`] as the error of a filter, by `?`.
struct Attached(HttpException);

impl From<HttpException> for Attached {
    fn from(exception: HttpException) -> Self {
        Self(exception)
    }
}

impl Reply for Attached {
    fn into_response(self) -> Response {
        self.0.into()
    }
}

fn routes() -> impl Filter<Extract: Reply, Error = Rejection> + Clone + Send + Sync {
    let item = warp::path("item").map(|| "plumbus");
    let returns = warp::path("returns").then(async || -> Result<&str, Attached> {
        tokio::task::yield_now().await;
        Err(not_found())?
    });
    let raises = warp::path("raises").map(|| -> &str { not_found().raise() });
    let raises_async = warp::path("raises_async").then(async || {
        tokio::task::yield_now().await;
        not_found().raise_async::<&str>().await
    });
    let panics = warp::path("panics").map(|| -> &str { panic!("on purpose") });
    let number = warp::path!("numbers" / u32).map(|number: u32| number.to_string());
    let post = warp::path("post").and(warp::post()).map(|| "posted");
    let cut = warp::path("cut").map(|| {
        let chunks = stream::iter([Ok("plum"), Err(io::Error::other("gone"))]);
        warp::reply::stream(chunks.then(async |chunk| {
            tokio::task::yield_now().await;
            chunk.map(Bytes::from)
        }))
    });
    let filters = item.or(returns).or(raises).or(raises_async).or(panics);
    filters.or(number).or(post).or(cut)
}

/// Serves `filter` below `layer` for as long as the runtime exists.
async fn serve<F, C>(layer: ExceptionLayer<C>, filter: F) -> SocketAddr
where
    F: Filter<Extract: Reply, Error = Rejection, Future: Send> + Clone + Send + Sync + 'static,
    C: LayerConfig,
{
    serve_service(layer.layer(warp::service(filter))).await
}

async fn serve_service<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<tower::BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    address
}

const FAILING: [&str; 3] = ["/returns", "/raises", "/raises_async"];

#[tokio::test]
async fn warps_filters_return_raise_and_panic_below_the_layer() {
    check_plain(serve(ExceptionLayer::new(), routes()).await, &FAILING).await;
    check_configured(serve(configured(), routes()).await, &FAILING).await;
}

#[tokio::test]
async fn nothing_changes_if_nothing_is_raised() {
    let bare = serve_service(warp::service(routes())).await;
    let below = serve(ExceptionLayer::new(), routes()).await;
    for path in ["/item", "/numbers/7", "/numbers/x", "/post", "/nowhere"] {
        let mut responses = Vec::new();
        for address in [bare, below] {
            let (status, mut headers, text) = receive(address, path).await.unwrap();
            headers.remove("date");
            responses.push((status, headers, text));
        }
        assert_eq!(responses[0], responses[1], "{path}");
    }
}

#[tokio::test]
async fn a_rejection_of_warp_is_adopted() {
    let address = serve(ExceptionLayer::new().adopt_error_responses(), routes()).await;
    let detail = |text: &str| format!(r#"{{"detail":"{text}"}}"#);
    assert_eq!(get(address, "/nowhere").await, (404, detail("Not Found")));
    assert_eq!(
        get(address, "/post").await,
        (405, detail("HTTP method not allowed"))
    );
}

#[tokio::test]
async fn a_body_that_fails_is_cut() {
    let address = serve(ExceptionLayer::new(), routes()).await;
    assert!(receive(address, "/cut").await.is_err());
}

/// Refuses members who are banned, and expels the others.
fn chat() -> impl Filter<Extract: Reply, Error = Rejection, Future: Send> + Clone + Send + Sync {
    let policy = |reason: &'static str| {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason(reason)
    };
    let banned = warp::path("banned")
        .and(warp::ws())
        .map(move |_: Ws| -> Response { policy("banned").raise() });
    let expelled = warp::path("expelled")
        .and(warp::ws())
        .and(warp::ext::get())
        .map(move |ws: Ws, handle: WebSocketHandle| {
            ws.on_upgrade(handle.catch(async move |mut socket: WebSocket| {
                let _ = socket.next().await;
                Err(policy("expelled").into())
            }))
        });
    banned.or(expelled)
}

#[tokio::test]
async fn an_exception_closes_a_websocket_of_warp_before_and_after_the_handshake() {
    let layer = ExceptionLayer::new().with_websockets(WebSockets::new());
    let address = serve(layer, chat()).await;
    for path in ["banned", "expelled"] {
        let url = format!("ws://{address}/{path}");
        let (mut socket, _) = connect_async(url).await.unwrap();
        let _ = futures_util::SinkExt::send(&mut socket, tungstenite::Message::text("hello")).await;
        let message = socket.next().await.unwrap().unwrap();
        let tungstenite::Message::Close(Some(frame)) = message else {
            panic!("{path}: {message:?}");
        };
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1008, path));
    }
}

#[tokio::test]
async fn an_inner_route_may_have_a_layer_of_its_own() {
    let inner = ExceptionLayer::new().layer(warp::service(routes()));
    let service = configured().layer(inner);
    let address = serve_service(service).await;
    // The inner layer's rendering is provisional.
    check_configured(address, &FAILING).await;
    assert_ne!(get(address, "/returns").await.1, NOT_FOUND);
}
