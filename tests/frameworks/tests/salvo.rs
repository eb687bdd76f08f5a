//! A salvo app under the layer, on salvo's own server.

mod client;
mod readme;
mod shared;

use std::{convert::Infallible, net::SocketAddr};

use client::{get, receive};
use futures_util::stream;
use http_body_util::Full;
use salvo::{
    Response, Router, Server, Service,
    conn::{Acceptor, Listener, TcpListener},
    handler,
    http::{HeaderValue, StatusError},
    prelude::{TowerLayerCompat as _, TowerServiceCompat as _},
};
use shared::{NOT_FOUND, check_configured, check_plain, configured, items, not_found};
use tower::{ServiceBuilder, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException,
    bytes::Bytes,
    http::{self, StatusCode},
};
use tower_exception_frameworks::salvo::{Attached, Below};

/// Serves `service` for as long as the runtime exists.
async fn serve(service: impl Into<Service>) -> SocketAddr {
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = acceptor.holdings()[0].local_addr.clone();
    tokio::spawn(Server::new(acceptor).serve(service.into()));
    address.into_std().unwrap()
}

#[handler]
async fn item() -> &'static str {
    "plumbus"
}

#[handler]
async fn returns() -> Result<&'static str, Attached> {
    Err(not_found())?
}

#[handler]
async fn raises() {
    not_found().raise();
}

#[handler]
async fn raises_async() {
    tokio::task::yield_now().await;
    not_found().raise_async::<()>().await;
}

#[handler]
async fn panics() {
    panic!("on purpose");
}

#[handler]
async fn conflict() -> Result<(), StatusError> {
    Err(StatusError::conflict())
}

fn router() -> Router {
    Router::new()
        .push(Router::with_path("item").get(item))
        .push(Router::with_path("returns").get(returns))
        .push(Router::with_path("raises").get(raises))
        .push(Router::with_path("raises_async").get(raises_async))
        .push(Router::with_path("panics").get(panics))
        .push(Router::with_path("conflict").get(conflict))
}

/// Paths whose handlers fail.
const FAILING: [&str; 3] = ["/returns", "/raises", "/raises_async"];

#[tokio::test]
async fn salvos_handlers_return_raise_and_panic_below_the_layer() {
    let address = serve(
        Router::new()
            .hoop(Below(ExceptionLayer::new()))
            .push(router()),
    )
    .await;
    check_plain(address, &FAILING).await;
    let address = serve(Router::new().hoop(Below(configured())).push(router())).await;
    check_configured(address, &FAILING).await;
}

#[tokio::test]
async fn an_error_of_salvo_is_an_exception() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::CONFLICT, |_: Caught<HttpException>| {
            HttpException::new(StatusCode::GONE).with_detail("sold out")
        });
    let address = serve(Router::new().hoop(Below(layer)).push(router())).await;
    assert_eq!(
        get(address, "/conflict").await,
        (410, r#"{"detail":"sold out"}"#.to_owned())
    );
}

/// Sets a header before the rest of the flow runs, as a hoop for CORS does.
#[handler]
async fn sets_header(res: &mut Response) {
    res.headers_mut()
        .insert("x-hoop", HeaderValue::from_static("set"));
}

#[tokio::test]
async fn the_headers_of_hoops_outside_of_the_layer_stay() {
    let below = Below(ExceptionLayer::new());
    let router = Router::new().hoop(sets_header).hoop(below).push(router());
    let address = serve(router).await;
    for path in ["/item", "/returns", "/raises", "/raises_async", "/panics"] {
        let (_, headers, _) = receive(address, path).await.unwrap();
        assert_eq!(headers["x-hoop"], "set", "{path}");
    }
}

#[tokio::test]
async fn no_handler_runs_after_a_hoop_that_has_raised() {
    let layer = ExceptionLayer::new()
        .on(|_: Caught<HttpException>| http::Response::new(Full::<Bytes>::from("handled")));
    let router = Router::new().hoop(Below(layer)).hoop(raises).get(item);
    let address = serve(router).await;
    assert_eq!(get(address, "/").await, (200, "handled".to_owned()));
}

/// Responds with one chunk, and raises in place of the next.
#[handler]
async fn streams(res: &mut Response) {
    let chunks = stream::unfold(0, |chunk| async move {
        match chunk {
            0 => Some((Ok::<_, Infallible>("plumbus"), 1)),
            _ => not_found().raise(),
        }
    });
    res.stream(chunks);
}

#[tokio::test]
async fn a_body_that_fails_in_salvo_is_cut() {
    let address = serve(
        Router::new()
            .hoop(Below(ExceptionLayer::new()))
            .get(streams),
    )
    .await;
    receive(address, "/").await.unwrap_err();
}

#[tokio::test]
async fn a_tower_service_below_the_layer_is_mounted_in_salvo() {
    let plain = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service(service_fn(items));
    let address = serve(Router::with_path("{**rest}").goal(plain.compat())).await;
    check_plain(address, &["/returns", "/raises"]).await;

    let handled = ServiceBuilder::new()
        .layer(configured())
        .service(service_fn(items));
    let address = serve(Router::with_path("{**rest}").goal(handled.compat())).await;
    check_configured(address, &["/x", "/raises"]).await;
}

#[tokio::test]
async fn salvos_own_adapter_passes_responses_and_attached_exceptions_only() {
    let address = serve(Router::new().hoop(configured().compat()).push(router())).await;
    assert_eq!(get(address, "/item").await, (200, "plumbus".to_owned()));
    assert_eq!(
        get(address, "/returns").await,
        (410, r#"{"detail":"/returns"}"#.to_owned())
    );
    // salvo runs the handler in another future than that of the layer. If this test fails, salvo
    // has changed, and the README is out of date.
    for path in ["/raises", "/raises_async", "/panics"] {
        assert!(receive(address, path).await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn the_example_of_the_readme_serves_both() {
    let items = service_fn(items);
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service(items);
    let router = Router::new()
        .push(Router::with_path("tower/{**rest}").goal(service.compat()))
        .push(
            Router::with_path("salvo")
                .hoop(Below(ExceptionLayer::new()))
                .get(item),
        );
    let address = serve(router).await;
    assert_eq!(get(address, "/tower/7").await, (404, NOT_FOUND.to_owned()));
    assert_eq!(get(address, "/salvo").await, (200, "plumbus".to_owned()));
    readme::assert_has_example_of("salvo", include_str!("salvo.rs"));
}
