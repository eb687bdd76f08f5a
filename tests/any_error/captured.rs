//! Extensions of the request, for handlers, observers and a renderer.

use axum::{
    Router,
    extract::{MatchedPath, OriginalUri, Request},
    middleware::{Next, from_fn},
    response::Response,
    routing::{any, get},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use tokio::sync::mpsc;
use tower::{Layer, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Outcome, Raise, RequestHead, Result, WebSockets,
    config::{Configured, LayerConfig},
    render::Rendered,
};

use crate::{
    shop::{ShopError, sold_out},
    support::{BoxError, Protocol, Server, request, websocket},
};

/// A value that a middleware sets outside of the layer.
#[derive(Clone)]
struct User(&'static str);

/// A value that a middleware sets inside of the layer.
#[derive(Clone)]
struct Late(u8);

/// A value that nobody sets.
#[derive(Clone)]
struct Absent;

fn set<T: Clone + Send + Sync + 'static>(
    value: T,
) -> impl Fn(Request, Next) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    move |mut request: Request, next: Next| {
        request.extensions_mut().insert(value.clone());
        Box::pin(next.run(request))
    }
}

/// Returns all that the layer has captured, in one line.
fn seen(request: &RequestHead) -> String {
    let route = request.get::<MatchedPath>().map(MatchedPath::as_str);
    let original = request.get::<OriginalUri>().map(|uri| uri.0.to_string());
    let user = request.get::<User>().map(|user| user.0);
    let late = request.get::<Late>().map(|late| late.0);
    let absent = request.get::<Absent>().is_some();
    let header = request.headers().map(|headers| headers.contains_key("x-a"));
    format!("{route:?} {original:?} {user:?} {late:?} {absent} {header:?}")
}

fn capturing(layer: ExceptionLayer<impl LayerConfig>) -> ExceptionLayer<Configured> {
    layer
        .capture::<MatchedPath>()
        .capture::<OriginalUri>()
        .capture::<User>()
        .capture::<Late>()
        .capture::<Absent>()
}

fn routes() -> Router {
    Router::new()
        .route(
            "/items/{id}",
            get(async || -> Result<()> { Err(sold_out().into()) }),
        )
        .route("/raised/{id}", get(async || -> () { sold_out().raise() }))
        .route(
            "/panicked/{id}",
            get(async || -> () { std::panic::panic_any(sold_out()) }),
        )
}

/// Returns a nested app under `layer`, with a middleware on either side of it.
fn app(layer: ExceptionLayer<Configured>) -> Router {
    let inner = routes().layer(from_fn(set(Late(1)))).layer(layer);
    Router::new()
        .nest("/api", inner)
        .layer(from_fn(set(User("rick"))))
}

fn replying() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|error: Caught<ShopError>| HttpException::conflict(seen(error.request())))
}

#[tokio::test]
async fn a_handler_reads_what_layers_further_out_have_set() {
    let server = Server::start_axum(app(capturing(replying()))).await;
    let both = Server::start_axum(app(capturing(replying().capture_headers()))).await;
    let after = Server::start_axum(app(capturing(replying()).capture_headers())).await;
    for route in ["items", "raised", "panicked"] {
        let path = format!("/api/{route}/7?page=2");
        let seen = format!(r#"Some("/api/{route}/{{id}}") Some("{path}") Some("rick") None false"#);
        server
            .get(&path)
            .await
            .assert_detail(409, &format!("{seen} None"));
        for server in [&both, &after] {
            let mut request = request(Method::GET, &path);
            request
                .headers_mut()
                .insert("x-a", HeaderValue::from_static("1"));
            let received = server.send(request).await;
            received.assert_detail(409, &format!("{seen} Some(true)"));
        }
    }
}

#[tokio::test]
async fn nothing_is_captured_that_is_not_asked_for() {
    let nothing = "None None None None false None";
    let server = Server::start_axum(app(replying())).await;
    server.get("/api/items/7").await.assert_detail(409, nothing);
    let server = Server::start_axum(app(replying().capture::<User>())).await;
    let only = r#"None None Some("rick") None false None"#;
    server.get("/api/items/7").await.assert_detail(409, only);
    let server = Server::start_axum(app(replying().capture_headers())).await;
    let only = "None None None None false Some(false)";
    server.get("/api/items/7").await.assert_detail(409, only);
}

fn observing(
    layer: ExceptionLayer<Configured>,
) -> (ExceptionLayer<Configured>, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = layer.observe(move |caught: &Caught, _: Outcome| {
        let _ = sender.send(seen(caught.request()));
    });
    (layer, receiver)
}

const SEEN: &str = r#"Some("/api/items/{id}") Some("/api/items/7") Some("rick") None false None"#;

#[tokio::test]
async fn observers_and_a_renderer_read_what_is_captured() {
    fn render(exception: &HttpException, caught: &Caught) -> Rendered {
        let text = format!("{} {}", exception.status().as_u16(), seen(caught.request()));
        Rendered::new(HeaderValue::from_static("text/plain"), text)
    }
    let layer = ExceptionLayer::new().with_renderer(render);
    let (layer, mut observed) = observing(capturing(layer));
    let server = Server::start_axum(app(layer)).await;
    let received = server.get("/api/items/7").await;
    assert_eq!(received.text(), format!("500 {SEEN}"));
    assert_eq!(observed.recv().await.unwrap(), SEEN);
    assert!(observed.try_recv().is_err());
}

/// The layer outside of the router sees no route yet.
#[tokio::test]
async fn each_layer_captures_for_itself() {
    let (inner, mut of_inner) = observing(capturing(ExceptionLayer::new().on_any(|_: Caught| {})));
    let (outer, mut of_outer) = observing(ExceptionLayer::new().capture::<User>());
    let app = app(inner).layer(outer).layer(from_fn(set(User("morty"))));
    let server = Server::start_axum(app).await;
    server.get("/api/items/7").await.assert_default_500();
    assert_eq!(of_inner.recv().await.unwrap(), SEEN);
    let outer = r#"None None Some("morty") None false None"#;
    assert_eq!(of_outer.recv().await.unwrap(), outer);
}

#[tokio::test]
async fn a_websockets_failure_has_what_its_handshake_had() {
    let layer = capturing(ExceptionLayer::new()).with_websockets(WebSockets::new());
    let (layer, mut observed) = observing(layer.on(|error: Caught<ShopError>| {
        HttpException::conflict(error.request().get::<User>().unwrap().0)
    }));
    let inner = Router::new()
        .route(
            "/before/{id}",
            any(async || -> Result<()> { Err(sold_out().into()) }),
        )
        .route(
            "/after/{id}",
            websocket::catching(async |_| Err(sold_out().into())),
        )
        .layer(layer);
    let app = Router::new()
        .nest("/api", inner)
        .layer(from_fn(set(User("rick"))));
    let address = websocket::serve(app).await;
    let mut client = websocket::connect(address, "/api/after/7").await;
    let closed = websocket::closed(&mut client).await;
    assert_eq!(closed, websocket::code(4409, "rick"));
    let seen = r#"Some("/api/after/{id}") Some("/api/after/7") Some("rick") None false None"#;
    assert_eq!(observed.recv().await.unwrap(), seen);
    websocket::try_connect(address, "/api/before/7", &[])
        .await
        .unwrap_err();
    let seen = seen.replace("after", "before");
    assert_eq!(observed.recv().await.unwrap(), seen);
}

/// A gRPC request, before messages and after one.
#[tokio::test]
async fn a_grpc_failure_has_what_is_captured() {
    let layer = ExceptionLayer::new().on(|error: Caught<ShopError>| {
        HttpException::conflict(error.request().get::<User>().unwrap().0)
    });
    let (layer, mut observed) = observing(layer.capture::<User>());
    let service = layer.layer(service_fn(
        async |request: http::Request<hyper::body::Incoming>| match request.uri().path() {
            "/stream" => {
                let frames = stream::iter([false, true]).map(|raises| match raises {
                    true => sold_out().raise(),
                    false => Ok::<_, BoxError>(Bytes::from_static(b"\0\0\0\0\0")),
                });
                let mut response = http::Response::new(axum::body::Body::from_stream(frames));
                let grpc = HeaderValue::from_static("application/grpc");
                response.headers_mut().insert(CONTENT_TYPE, grpc);
                Ok(response)
            }
            _ => Err(sold_out()),
        },
    ));
    let server = Server::start(
        tower::ServiceBuilder::new()
            .map_request(|mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(User("rick"));
                request
            })
            .service(service),
    )
    .await;
    for path in ["/unary", "/stream"] {
        let mut client = server.connect(Protocol::Http2).await;
        let mut request = request(Method::POST, path);
        let grpc = HeaderValue::from_static("application/grpc");
        request.headers_mut().insert(CONTENT_TYPE, grpc);
        let received = client.exchange(request).await.unwrap();
        let trailers = received.trailers.as_ref().unwrap_or(&received.headers);
        assert_eq!(trailers["grpc-message"], "rick", "{path}");
        assert_eq!(
            observed.recv().await.unwrap(),
            r#"None None Some("rick") None false None"#
        );
    }
}
