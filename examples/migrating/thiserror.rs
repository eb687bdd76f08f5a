//! From a `thiserror` enum that is an `IntoResponse`: the code before and after.
//!
//! ```sh
//! cargo run --example migrating_thiserror --features axum,tracing
//! cargo run --example migrating_thiserror --features axum,tracing -- before
//! curl -i http://127.0.0.1:3000/orders --json '{"item":9,"people":1}'
//! ```

use std::{env, io, net::Ipv4Addr};

use tokio::net::TcpListener;

pub mod before {
    use std::{num::ParseIntError, sync::Arc};

    use axum::{
        Json, Router,
        extract::{FromRequest, Request, rejection::JsonRejection},
        http::StatusCode,
        middleware::{Next, from_fn},
        response::{IntoResponse, Response},
        routing::post,
    };
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, thiserror::Error)]
    enum ShopError {
        #[error("no item {0}")]
        NoItem(u32),
        #[error("the price list is broken")]
        Prices(#[from] ParseIntError),
        #[error("the body is no order")]
        Body(#[from] JsonRejection),
    }

    impl IntoResponse for ShopError {
        fn into_response(self) -> Response {
            let (status, message) = match &self {
                Self::NoItem(_) => (StatusCode::NOT_FOUND, self.to_string()),
                Self::Body(rejection) => (rejection.status(), rejection.body_text()),
                Self::Prices(_) => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong".to_owned(),
                ),
            };
            let mut response = (status, Json(json!({ "message": message }))).into_response();
            if status.is_server_error() {
                // For the middleware that logs.
                response.extensions_mut().insert(Arc::new(self));
            }
            response
        }
    }

    async fn log_errors(request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if let Some(error) = response.extensions().get::<Arc<ShopError>>() {
            tracing::error!(%error, "a handler failed");
        }
        response
    }

    #[derive(Deserialize, FromRequest)]
    #[from_request(via(Json), rejection(ShopError))]
    struct Order {
        item: u32,
        people: u32,
    }

    fn price_of(item: u32) -> Result<u32, ShopError> {
        match item {
            1 => Ok(42),
            2 => Ok("many".parse()?),
            _ => Err(ShopError::NoItem(item)),
        }
    }

    /// Panics if `people` is 0.
    async fn order(order: Order) -> Result<String, ShopError> {
        Ok((price_of(order.item)? / order.people).to_string())
    }

    pub fn router() -> Router {
        Router::new()
            .route("/orders", post(order))
            .layer(from_fn(log_errors))
    }
}

pub mod after {
    use std::num::ParseIntError;

    use axum::{
        Json, Router,
        extract::{FromRequest, rejection::JsonRejection},
        http::HeaderValue,
        routing::post,
    };
    use serde::Deserialize;
    use serde_json::json;
    use tower_exception::{Caught, ExceptionLayer, HttpException, Reply, render::Rendered};

    #[derive(Debug, thiserror::Error)]
    enum ShopError {
        #[error("no item {0}")]
        NoItem(u32),
        #[error("the price list is broken")]
        Prices(#[from] ParseIntError),
    }

    fn shop_failed(error: Caught<ShopError>) -> Reply {
        match error.error() {
            ShopError::NoItem(_) => HttpException::not_found(error.to_string()).into(),
            // The default: a 500 that says nothing of the error.
            ShopError::Prices(_) => Reply::decline(),
        }
    }

    fn rejected(rejection: Caught<JsonRejection>) -> HttpException {
        HttpException::new(rejection.status()).with_detail(rejection.body_text())
    }

    /// Renders `{"message": ...}`, which the clients know, in place of `{"detail": ...}`.
    fn render(exception: &HttpException, _: &Caught) -> Rendered {
        let body = json!({ "message": exception.detail_or_reason() });
        Rendered::new(
            HeaderValue::from_static("application/json"),
            body.to_string(),
        )
    }

    #[derive(Deserialize, FromRequest)]
    #[from_request(via(Json), rejection(tower_exception::Error))]
    struct Order {
        item: u32,
        people: u32,
    }

    fn price_of(item: u32) -> Result<u32, ShopError> {
        match item {
            1 => Ok(42),
            2 => Ok("many".parse()?),
            _ => Err(ShopError::NoItem(item)),
        }
    }

    /// Panics if `people` is 0.
    async fn order(order: Order) -> tower_exception::Result<String> {
        Ok((price_of(order.item)? / order.people).to_string())
    }

    pub fn router() -> Router {
        Router::new().route("/orders", post(order)).layer(
            ExceptionLayer::new()
                .adopt_error_responses()
                .on(shop_failed)
                .on(rejected)
                .with_renderer(render),
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
