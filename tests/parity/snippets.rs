//! Apps of FastAPI's tutorial "Handling Errors". The README's section "From FastAPI" has the code,
//! word for word, and a test compares both.

use axum::{
    Json, Router,
    extract::Path,
    routing::{get, post},
};
use http::StatusCode;
use serde_json::json;
use tower_exception::ExceptionLayer;

/// Raise an `HTTPException`.
#[allow(clippy::let_and_return, reason = "the README ends with `let app`")]
pub fn tutorial001() -> Router {
    use axum::{Json, Router, extract::Path, routing::get};
    use serde_json::{Value, json};
    use tower_exception::{ExceptionLayer, Result, prelude::*};

    fn find(item_id: &str) -> Option<&'static str> {
        (item_id == "foo").then_some("The Foo Wrestlers")
    }

    async fn read_item(Path(item_id): Path<String>) -> Result<Json<Value>> {
        let item = find(&item_id).or_not_found("Item not found")?;
        Ok(Json(json!({ "item": item })))
    }

    let app: Router = Router::new()
        .route("/items/{item_id}", get(read_item))
        .layer(ExceptionLayer::new().adopt_error_responses());
    app
}

/// Add custom headers.
pub fn tutorial002() -> Router {
    use axum::{Json, extract::Path};
    use serde_json::{Value, json};
    use tower_exception::{HttpException, Result, bail};

    async fn read_item_header(Path(item_id): Path<String>) -> Result<Json<Value>> {
        if item_id != "foo" {
            let exception = HttpException::not_found("Item not found");
            bail!(exception.try_with_header("X-Error", "There goes my error")?);
        }
        Ok(Json(json!({ "item": "The Foo Wrestlers" })))
    }

    Router::new()
        .route("/items-header/{item_id}", get(read_item_header))
        .layer(ExceptionLayer::new().adopt_error_responses())
}

/// Install custom exception handlers.
#[allow(clippy::let_and_return, reason = "the README ends with `let app`")]
pub fn tutorial003() -> Router {
    use axum::{Json, Router, extract::Path, response::IntoResponse, routing::get};
    use serde_json::{Value, json};
    use tower_exception::http::StatusCode;
    use tower_exception::{Caught, ExceptionLayer, prelude::*};

    #[derive(Debug, thiserror::Error)]
    #[error("{name} did something")]
    struct UnicornError {
        name: String,
    }

    async fn unicorn_error_handler(error: Caught<UnicornError>) -> impl IntoResponse {
        let name = &error.name;
        let message = format!("Oops! {name} did something. There goes a rainbow...");
        (StatusCode::IM_A_TEAPOT, Json(json!({ "message": message })))
    }

    async fn read_unicorn(Path(name): Path<String>) -> Json<Value> {
        if name == "yolo" {
            UnicornError { name }.raise();
        }
        Json(json!({ "unicorn_name": name }))
    }

    let app: Router = Router::new()
        .route("/unicorns/{name}", get(read_unicorn))
        .layer(ExceptionLayer::new().on(unicorn_error_handler));
    app
}

/// Override the default exception handlers.
pub fn tutorial004() -> Router {
    use axum::{Json, extract::Path, extract::rejection::PathRejection, response::IntoResponse};
    use serde_json::{Value, json};
    use tower_exception::http::StatusCode;
    use tower_exception::{Caught, ExceptionLayer, HttpException, Result, bail};

    async fn http_exception_handler(exception: Caught<HttpException>) -> impl IntoResponse {
        // The exception's own headers, such as `allow`, are the handler's to send.
        let headers = exception.headers().clone();
        let detail = exception.detail_or_reason().to_string();
        (exception.status(), headers, detail)
    }

    async fn validation_exception_handler(error: Caught<PathRejection>) -> impl IntoResponse {
        let message = format!("Validation errors:\n{}", error.body_text());
        (StatusCode::BAD_REQUEST, message)
    }

    async fn read_item(item_id: Result<Path<i64>, PathRejection>) -> Result<Json<Value>> {
        let Path(item_id) = item_id?;
        if item_id == 3 {
            let teapot = HttpException::new(StatusCode::IM_A_TEAPOT);
            bail!(teapot.with_detail("Nope! I don't like 3."));
        }
        Ok(Json(json!({ "item_id": item_id })))
    }

    let layer = ExceptionLayer::new()
        .adopt_error_responses()
        .on(http_exception_handler)
        .on(validation_exception_handler);
    Router::new()
        .route("/items/{item_id}", get(read_item))
        .layer(layer)
}

/// Use the body of the request.
pub fn tutorial005() -> Router {
    use axum::{Json, response::IntoResponse};
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};
    use tower_exception::http::StatusCode;
    use tower_exception::{Caught, ExceptionLayer, Result};

    #[derive(Deserialize, Serialize)]
    struct Item {
        title: String,
        size: i64,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("invalid body")]
    struct ValidationError {
        source: serde_json::Error,
        body: Value,
    }

    async fn validation_exception_handler(error: Caught<ValidationError>) -> impl IntoResponse {
        let content = json!({ "detail": error.source.to_string(), "body": error.body });
        (StatusCode::UNPROCESSABLE_ENTITY, Json(content))
    }

    async fn create_item(Json(body): Json<Value>) -> Result<Json<Item>> {
        let item = Item::deserialize(&body).map_err(|source| ValidationError { source, body })?;
        Ok(Json(item))
    }

    let layer = ExceptionLayer::new()
        .adopt_error_responses()
        .on(validation_exception_handler);
    Router::new()
        .route("/items/", post(create_item))
        .layer(layer)
}

/// Reuse the default exception handlers.
pub fn tutorial006() -> Router {
    use tower_exception::{Caught, ExceptionLayer, HttpException, Reply};

    async fn custom_http_exception_handler(exception: Caught<HttpException>) -> Reply {
        println!("OMG! An HTTP error!: {:?}", exception.error());
        Reply::decline()
    }

    let layer = ExceptionLayer::new()
        .adopt_error_responses()
        .on(custom_http_exception_handler);
    let read_item = async |Path(item_id): Path<i64>| match item_id {
        3 => Err(HttpException::new(StatusCode::IM_A_TEAPOT).with_detail("Nope! I don't like 3.")),
        _ => Ok(Json(json!({ "item_id": item_id }))),
    };
    Router::new()
        .route("/items/{item_id}", get(read_item))
        .layer(layer)
}
