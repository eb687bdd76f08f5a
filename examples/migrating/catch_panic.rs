//! From tower-http's `CatchPanicLayer`: the code before and after.
//!
//! ```sh
//! cargo run --example migrating_catch_panic --features axum,tracing
//! cargo run --example migrating_catch_panic --features axum,tracing -- before
//! curl -i http://127.0.0.1:3000/items/7
//! ```

use std::{env, io, net::Ipv4Addr};

use tokio::net::TcpListener;

pub mod before {
    use std::{any::Any, io};

    use axum::{
        Json, Router,
        body::Body,
        extract::Path,
        http::StatusCode,
        response::{IntoResponse, Response},
        routing::get,
    };
    use futures_util::{StreamExt, stream};
    use serde_json::json;
    use tower_http::catch_panic::CatchPanicLayer;

    const ITEMS: [&str; 2] = ["plumbus", "grumbo"];

    /// Panics if there is no such item.
    async fn item(Path(index): Path<usize>) -> &'static str {
        ITEMS[index]
    }

    /// Panics after two items, when the head of the response has been sent.
    async fn export() -> Body {
        Body::from_stream(stream::iter(0..3).then(async |index: usize| {
            tokio::task::yield_now().await;
            Ok::<_, io::Error>(ITEMS[index])
        }))
    }

    fn panicked(payload: Box<dyn Any + Send>) -> Response {
        let text = payload.downcast_ref::<String>().map(|text| &**text);
        let message = text.or(payload.downcast_ref::<&str>().copied());
        tracing::error!("panicked: {}", message.unwrap_or("no message"));
        let body = Json(json!({ "error": "internal" }));
        (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
    }

    pub fn router() -> Router {
        Router::new()
            .route("/items/{index}", get(item))
            .route("/export", get(export))
            .layer(CatchPanicLayer::custom(panicked))
    }
}

pub mod after {
    use std::io;

    use axum::{
        Json, Router, body::Body, extract::Path, http::StatusCode, response::IntoResponse,
        routing::get,
    };
    use futures_util::{StreamExt, stream};
    use serde_json::json;
    use tower_exception::{Caught, ExceptionLayer, Panic};

    const ITEMS: [&str; 2] = ["plumbus", "grumbo"];

    /// Panics if there is no such item.
    async fn item(Path(index): Path<usize>) -> &'static str {
        ITEMS[index]
    }

    /// Panics after two items, when the head of the response has been sent.
    async fn export() -> Body {
        Body::from_stream(stream::iter(0..3).then(async |index: usize| {
            tokio::task::yield_now().await;
            Ok::<_, io::Error>(ITEMS[index])
        }))
    }

    fn panicked(_: Caught<Panic>) -> impl IntoResponse + use<> {
        let body = Json(json!({ "error": "internal" }));
        (StatusCode::INTERNAL_SERVER_ERROR, body)
    }

    pub fn router() -> Router {
        Router::new()
            .route("/items/{index}", get(item))
            .route("/export", get(export))
            .layer(ExceptionLayer::new().on_panic(panicked))
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
