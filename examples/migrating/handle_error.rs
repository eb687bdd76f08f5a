//! From axum's `HandleErrorLayer`: the code before and after.
//!
//! ```sh
//! cargo run --example migrating_handle_error
//! cargo run --example migrating_handle_error -- before
//! curl -i http://127.0.0.1:3000/slow
//! ```

use std::{env, io, net::Ipv4Addr};

use tokio::net::TcpListener;

pub mod before {
    use std::{future, io, time::Duration};

    use axum::{
        BoxError, Router,
        error_handling::{HandleError, HandleErrorLayer},
        extract::{Path, Request},
        http::{Method, StatusCode, Uri},
        response::Response,
        routing::get,
    };
    use tower::{ServiceBuilder, service_fn, timeout::error::Elapsed};

    /// Takes longer than the timeout.
    async fn slow() {
        future::pending().await
    }

    /// Panics if there is no such item.
    async fn item(Path(index): Path<usize>) -> &'static str {
        ["plumbus", "grumbo"][index]
    }

    /// Service of a library, which returns errors.
    async fn stock(_: Request) -> io::Result<Response> {
        Err(io::Error::other("10.0.0.7 does not respond"))
    }

    async fn stock_failed(error: io::Error) -> (StatusCode, String) {
        (StatusCode::BAD_GATEWAY, format!("stock: {error}"))
    }

    async fn layer_failed(method: Method, uri: Uri, error: BoxError) -> (StatusCode, String) {
        if error.is::<Elapsed>() {
            let text = format!("{method} {uri} took too long");
            return (StatusCode::REQUEST_TIMEOUT, text);
        }
        let text = format!("Unhandled internal error: {error}");
        (StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    pub fn router() -> Router {
        Router::new()
            .route("/slow", get(slow))
            .route("/items/{index}", get(item))
            .route_service("/stock", HandleError::new(service_fn(stock), stock_failed))
            .layer(
                ServiceBuilder::new()
                    .layer(HandleErrorLayer::new(layer_failed))
                    .timeout(Duration::from_millis(300)),
            )
    }
}

pub mod after {
    use std::{future, io, time::Duration};

    use axum::{
        Router,
        extract::{Path, Request},
        response::Response,
        routing::get,
    };
    use tower::{ServiceBuilder, timeout::error::Elapsed};
    use tower_exception::{Caught, ExceptionLayer, HttpException};

    /// Takes longer than the timeout.
    async fn slow() {
        future::pending().await
    }

    /// Panics if there is no such item.
    async fn item(Path(index): Path<usize>) -> &'static str {
        ["plumbus", "grumbo"][index]
    }

    /// Service of a library, which returns errors.
    async fn stock(_: Request) -> io::Result<Response> {
        Err(io::Error::other("10.0.0.7 does not respond"))
    }

    fn stock_failed(_: Caught<io::Error>) -> HttpException {
        HttpException::bad_gateway("the stock does not respond")
    }

    fn too_slow(error: Caught<Elapsed>) -> HttpException {
        let (method, uri) = (error.request().method(), error.request().uri());
        HttpException::request_timeout(format!("{method} {uri} took too long"))
    }

    pub fn router() -> Router {
        let stock = ServiceBuilder::new()
            .layer(ExceptionLayer::new())
            .service_fn(stock);
        Router::new()
            .route("/slow", get(slow))
            .route("/items/{index}", get(item))
            .route_service("/stock", stock)
            .layer(
                ServiceBuilder::new()
                    .layer(ExceptionLayer::new().on(stock_failed).on(too_slow))
                    .timeout(Duration::from_millis(300)),
            )
    }
}

/// Serves the router of `after`, or that of `before` if the first argument says so.
#[tokio::main]
async fn main() -> io::Result<()> {
    let router = match env::args().nth(1).as_deref() {
        Some("before") => before::router(),
        _ => after::router(),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 3000)).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, router).await
}
