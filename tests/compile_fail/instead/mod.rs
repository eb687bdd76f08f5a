//! The code that the guide to compiler messages gives instead: one function for each row.

use std::{error::Error as StdError, fmt, io};

use anyhow::anyhow;
use axum::{
    Json, Router,
    extract::ws::WebSocket,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Result, WebSocketHandle, bail, prelude::*,
};

#[derive(Debug)]
struct AppError(io::Error);

impl AppError {
    fn inner(&self) -> Option<&io::Error> {
        Some(&self.0)
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for AppError {}

fn price() -> Result<u32> {
    Ok(42)
}

fn axum_handler_error() -> Router {
    async fn item() -> Result<String> {
        Ok(std::fs::read_to_string("item")?)
    }
    Router::new().route("/", get(item))
}

fn axum_handler_exception() -> Router {
    async fn item() -> Result<&'static str, HttpException> {
        Err(HttpException::not_found("Item not found"))
    }
    Router::new().route("/", get(item))
}

fn axum_debug_handler() -> Router {
    #[axum::debug_handler]
    async fn item() -> Result<Json<u32>> {
        Ok(Json(price()?))
    }
    Router::new().route("/", get(item))
}

fn axum_into_response() -> Response {
    HttpException::not_found("Item not found").into_response()
}

fn handlers() {
    let _ = ExceptionLayer::new()
        .on(|error: Caught<AppError>| HttpException::bad_gateway(error.to_string()))
        .on_any(|error: Caught| HttpException::bad_gateway(error.to_string()));
}

fn argument_without_type() {
    handlers();
}

fn argument_error() {
    handlers();
}

fn argument_anyhow() {
    handlers();
}

fn argument_any() {
    handlers();
}

fn reveal_without_type() {
    let _ = ExceptionLayer::new().reveal(|error: &AppError| error.source());
}

fn reveal_no_option() {
    let _ = ExceptionLayer::new().reveal(|error: &AppError| Some(&error.0));
}

fn reveal_function() {
    let _ = ExceptionLayer::new().reveal(|error: &AppError| error.inner().map(|inner| inner as _));
}

fn question_mark_http_exception() -> Result<u32, HttpException> {
    let price = price().or_bad_gateway("no price")?;
    Ok(price)
}

fn question_mark_io() -> io::Result<u32> {
    let price = price().map_err(|error| io::Error::other(error.into_boxed()))?;
    Ok(price)
}

fn question_mark_box() -> Result<u32, Box<dyn StdError + Send + Sync>> {
    let price = price().map_err(Error::into_boxed)?;
    Ok(price)
}

fn question_mark_anyhow() -> anyhow::Result<u32> {
    let price = price().map_err(|error| anyhow!(error.into_boxed()))?;
    Ok(price)
}

fn question_mark_option(items: &[u32]) -> Result<u32> {
    Ok(*items.first().or_not_found("no such item")?)
}

fn question_mark_status(status: StatusCode) -> Result<u32> {
    if status == StatusCode::NOT_FOUND {
        bail!(not_found, "no such item");
    }
    Err(HttpException::from(status))?
}

fn question_mark_not_send() -> Result<u32> {
    fn price() -> Result<u32, Box<dyn StdError + Send + Sync>> {
        Ok(42)
    }
    Ok(price()?)
}

fn error_boxed(error: Error) -> Box<dyn StdError + Send + Sync> {
    error.into_boxed()
}

fn error_as_source(error: Error) -> HttpException {
    HttpException::bad_gateway("try again").with_source(error.into_boxed())
}

fn error_as_dyn(error: Error) {
    fn log(error: &dyn StdError) -> String {
        error.to_string()
    }
    assert_eq!(log(&*error), "disk");
}

fn error_in_anyhow(error: Error) -> anyhow::Error {
    anyhow!(error.into_boxed())
}

fn raise_not_imported() -> u32 {
    io::Error::other("disk").raise()
}

fn or_not_imported(items: &[u32]) -> Result<&u32, HttpException> {
    items.first().or_not_found("no such item")
}

fn bail_no_status(status: StatusCode) -> Result<u32> {
    bail!(HttpException::new(status).with_detail("no coffee"))
}

async fn service_error() -> u16 {
    async fn items(_: Request<Full<Bytes>>) -> Result<http::Response<Full<Bytes>>> {
        Err(HttpException::from(StatusCode::NOT_FOUND))?
    }
    let service = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .service_fn(items);
    let response = service.oneshot(Request::default()).await;
    response.map_or_else(|never| match never {}, |it| it.status().as_u16())
}

fn websocket_box_error(handle: WebSocketHandle) {
    async fn echo(mut socket: WebSocket) -> Result<()> {
        while let Some(message) = socket.recv().await {
            socket.send(message?).await?;
        }
        Ok(())
    }
    let _ = handle.catch(echo);
}

fn websocket_axum_error(handle: WebSocketHandle) {
    let _ = handle.catch(async |mut socket: WebSocket| Ok(socket.send("hello".into()).await?));
}

fn websocket_no_result(handle: WebSocketHandle) {
    let _ = handle.catch(async |mut socket: WebSocket| {
        let _ = socket.send("hello".into()).await;
        Ok(())
    });
}

fn disk() -> Error {
    io::Error::other("disk").into()
}

#[tokio::test]
async fn the_code_of_each_row_does_what_the_guide_says() {
    let _ = axum_handler_error();
    let _ = axum_handler_exception();
    let _ = axum_debug_handler();
    assert_eq!(axum_into_response().status(), 404);
    argument_without_type();
    argument_error();
    argument_anyhow();
    argument_any();
    reveal_without_type();
    reveal_no_option();
    reveal_function();
    assert!(question_mark_http_exception().is_ok());
    assert!(question_mark_io().is_ok());
    assert!(question_mark_box().is_ok());
    assert!(question_mark_anyhow().is_ok());
    assert_eq!(
        question_mark_option(&[]).unwrap_err().to_string(),
        "404: no such item"
    );
    let status = StatusCode::GONE;
    assert_eq!(
        question_mark_status(status).unwrap_err().to_string(),
        "410: Gone"
    );
    assert!(question_mark_not_send().is_ok());
    assert_eq!(error_boxed(disk()).to_string(), "disk");
    assert!(error_as_source(disk()).origin().is_some());
    error_as_dyn(disk());
    assert_eq!(error_in_anyhow(disk()).to_string(), "disk");
    let error = tower_exception::catch_sync(raise_not_imported).unwrap_err();
    assert!(error.is::<io::Error>());
    assert!(or_not_imported(&[1]).is_ok());
    assert_eq!(
        bail_no_status(status).unwrap_err().to_string(),
        "410: no coffee"
    );
    assert_eq!(service_error().await, 404);
    let _: [fn(WebSocketHandle); 3] = [
        websocket_box_error,
        websocket_axum_error,
        websocket_no_result,
    ];
}
