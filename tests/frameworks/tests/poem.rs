//! A poem app under the layer, on poem's own server.

mod client;
mod readme;
mod shared;

use std::{io, net::SocketAddr};

use client::get;
use futures_util::stream;
use poem::{
    Body, EndpointExt as _, IntoEndpoint, Response, Route, Server,
    endpoint::TowerCompatExt as _,
    error::InternalServerError,
    handler,
    listener::{Acceptor as _, Listener as _, TcpListener},
};
use shared::{NOT_FOUND, check_configured, check_plain, configured, items, not_found};
use tower::{ServiceBuilder, service_fn};
use tower_exception::ExceptionLayer;
use tower_exception_frameworks::poem::Below;

/// Serves `app` for as long as the runtime exists.
async fn serve(app: impl IntoEndpoint<Endpoint: 'static> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0");
    let acceptor = listener.into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    address
}

#[handler]
fn item() -> &'static str {
    "plumbus"
}

#[handler]
fn returns() -> poem::Result<&'static str> {
    Err(InternalServerError(not_found()))
}

#[handler]
fn raises() {
    not_found().raise()
}

#[handler]
async fn raises_async() {
    tokio::task::yield_now().await;
    not_found().raise_async().await
}

#[handler]
fn panics() {
    panic!("on purpose")
}

fn routes() -> Route {
    Route::new()
        .at("/item", item)
        .at("/returns", returns)
        .at("/raises", raises)
        .at("/raises_async", raises_async)
        .at("/panics", panics)
}

/// Paths whose handlers fail.
const FAILING: [&str; 3] = ["/returns", "/raises", "/raises_async"];

#[tokio::test]
async fn poems_handlers_return_raise_and_panic_below_the_layer() {
    let address = serve(routes().with(Below(ExceptionLayer::new()))).await;
    check_plain(address, &FAILING).await;
    let address = serve(routes().with(Below(configured()))).await;
    check_configured(address, &FAILING).await;
}

#[tokio::test]
async fn a_tower_service_below_the_layer_is_mounted_in_poem() {
    let plain = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service(service_fn(items));
    let address = serve(plain.compat()).await;
    check_plain(address, &["/returns", "/raises"]).await;

    let handled = ServiceBuilder::new()
        .layer(configured())
        .service(service_fn(items));
    let address = serve(handled.compat()).await;
    check_configured(address, &["/x", "/raises"]).await;
}

#[tokio::test]
async fn the_example_of_the_readme_serves_both() {
    let items = service_fn(items);
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service(items);
    let app = Route::new()
        .nest("/tower", service.compat())
        .at("/poem", item.with(Below(ExceptionLayer::new())));
    let address = serve(app).await;
    assert_eq!(get(address, "/tower/7").await, (404, NOT_FOUND.to_owned()));
    assert_eq!(get(address, "/poem").await, (200, "plumbus".to_owned()));
    readme::assert_has_example_of("poem", include_str!("poem.rs"));
}

/// Responds with one chunk, and fails in place of the next.
#[handler]
fn streams() -> Response {
    let chunks = stream::unfold(0, |chunk| async move {
        tokio::task::yield_now().await;
        match chunk {
            0 => Some((Ok("plumbus"), 1)),
            _ => Some((Err(io::Error::other("gone")), 2)),
        }
    });
    Response::builder().body(Body::from_bytes_stream(chunks))
}

/// poem's server polls hyper's connection once more after the connection has failed. hyper then
/// ends the body as if it were whole. If this test fails, poem has changed, and the README is out
/// of date.
#[tokio::test]
async fn a_body_that_fails_looks_whole_on_poems_server_with_and_without_the_layer() {
    let app = Route::new()
        .at("/bare", streams)
        .at("/below", streams.with(Below(ExceptionLayer::new())));
    let address = serve(app).await;
    for path in ["/bare", "/below"] {
        assert_eq!(
            get(address, path).await,
            (200, "plumbus".to_owned()),
            "{path}"
        );
    }
}
