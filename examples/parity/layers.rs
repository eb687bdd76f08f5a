//! Layers of the two apps: one without handlers, one with.

use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_TYPE, header::HeaderValue};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, WebSocketException, WebSockets,
    config::Configured,
};

use super::shared::Base;

type Reply = Response<Full<Bytes>>;

/// Returns the layer without handlers. It adopts plain error responses, because unknown routes and
/// wrong methods are exceptions in FastAPI.
pub fn without_handlers() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .adopt_error_responses()
        .with_websockets(WebSockets::new())
}

pub fn with_handlers() -> ExceptionLayer<Configured> {
    without_handlers()
        .capture_headers()
        .on(oops)
        .on_status(StatusCode::NOT_FOUND, nothing_there)
        .on(any_other_exception)
        .on(mapped)
        .on_any(|_: Caught| error(StatusCode::INTERNAL_SERVER_ERROR, "it broke"))
}

fn oops(base: Caught<Base>) -> Reply {
    let request = base.request();
    let agent = request.headers().and_then(|headers| headers.get("x-agent"));
    json(
        StatusCode::IM_A_TEAPOT,
        &json!({
            "message": format!("Oops! {} did something.", *base),
            "path": request.uri().path(),
            "agent": agent.and_then(|agent| agent.to_str().ok()),
        }),
    )
}

fn nothing_there(exception: Caught<HttpException>) -> Reply {
    let (method, path) = (
        exception.request().method(),
        exception.request().uri().path(),
    );
    let text = exception.detail_or_reason();
    reply(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        format!("no {method} {path}: {text}"),
    )
}

fn any_other_exception(exception: Caught<HttpException>) -> Reply {
    let mut reply = error(exception.status(), exception.detail_or_reason());
    reply.headers_mut().extend(exception.headers().clone());
    reply
}

fn mapped(exception: Caught<WebSocketException>) -> WebSocketException {
    // The sum is above the last close code, 4999, if the code is 2000 or more.
    let code =
        CloseCode::from_u16(3000 + exception.code().as_u16()).unwrap_or(CloseCode::INTERNAL_ERROR);
    WebSocketException::new(code).with_reason(format!("mapped: {}", exception.reason()))
}

fn error(status: StatusCode, message: impl Serialize) -> Reply {
    json(
        status,
        &json!({ "error": { "code": status.as_u16(), "message": message } }),
    )
}

fn json(status: StatusCode, value: &Value) -> Reply {
    reply(status, "application/json", value.to_string())
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::from(body));
    *reply.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}
