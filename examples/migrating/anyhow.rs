//! From an `AppError` that wraps `anyhow::Error`: the code before and after.
//!
//! ```sh
//! cargo run --example migrating_anyhow --features anyhow,axum
//! cargo run --example migrating_anyhow --features anyhow,axum -- before
//! curl -i http://127.0.0.1:3000/prices/grumbo
//! ```

use std::{env, io, net::Ipv4Addr};

use tokio::net::TcpListener;

pub mod before {
    use anyhow::Context;
    use axum::{
        Router,
        extract::Path,
        http::StatusCode,
        response::{IntoResponse, Response},
        routing::get,
    };

    struct AppError(anyhow::Error);

    impl IntoResponse for AppError {
        fn into_response(self) -> Response {
            let text = format!("Something went wrong: {}", self.0);
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }

    impl<E: Into<anyhow::Error>> From<E> for AppError {
        fn from(error: E) -> Self {
            Self(error.into())
        }
    }

    fn price_of(item: &str) -> anyhow::Result<u32> {
        let price = match item {
            "plumbus" => "42",
            "grumbo" => "many",
            "fleeb" => anyhow::bail!("10.0.0.7 does not respond"),
            _ => anyhow::bail!("no price of {item}"),
        };
        price.parse().context("the price list is broken")
    }

    async fn price(Path(item): Path<String>) -> Result<String, AppError> {
        Ok(price_of(&item)?.to_string())
    }

    /// Panics if `people` is 0.
    async fn share(Path(people): Path<u32>) -> Result<String, AppError> {
        Ok((price_of("plumbus")? / people).to_string())
    }

    pub fn router() -> Router {
        Router::new()
            .route("/prices/{item}", get(price))
            .route("/shares/{people}", get(share))
    }
}

pub mod after {
    use std::num::ParseIntError;

    use anyhow::Context;
    use axum::{Router, extract::Path, routing::get};
    use tower_exception::{Caught, ExceptionLayer, HttpException, Result};

    fn price_of(item: &str) -> anyhow::Result<u32> {
        let price = match item {
            "plumbus" => "42",
            "grumbo" => "many",
            "fleeb" => anyhow::bail!("10.0.0.7 does not respond"),
            _ => Err(HttpException::not_found(format!("no price of {item}")))?,
        };
        price.parse().context("the price list is broken")
    }

    async fn price(Path(item): Path<String>) -> Result<String> {
        Ok(price_of(&item)?.to_string())
    }

    /// Panics if `people` is 0.
    async fn share(Path(people): Path<u32>) -> Result<String> {
        Ok((price_of("plumbus")? / people).to_string())
    }

    fn broken_list(_: Caught<ParseIntError>) -> HttpException {
        HttpException::bad_gateway("the price list is broken")
    }

    pub fn router() -> Router {
        Router::new()
            .route("/prices/{item}", get(price))
            .route("/shares/{people}", get(share))
            .layer(ExceptionLayer::new().on(broken_list))
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
