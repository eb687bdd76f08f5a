//! The layers of the two apps: without handlers, and with some.

use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_TYPE, header::HeaderValue};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use tower_exception::{
    Caught, CloseCode, Custom, ExceptionLayer, HttpException, WebSocketException,
};

use super::shared::Base;

type Reply = Response<Full<Bytes>>;

/// Unknown routes and wrong methods are exceptions to FastAPI, so plain error responses are adopted.
pub fn without_handlers() -> ExceptionLayer<Custom> {
    ExceptionLayer::new()
        .adopt_error_responses()
        .with_upgrades()
}

pub fn with_handlers() -> ExceptionLayer<Custom> {
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
    let text = exception.shown_detail();
    reply(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        format!("no {method} {path}: {text}"),
    )
}

fn any_other_exception(exception: Caught<HttpException>) -> Reply {
    let mut reply = error(exception.status(), exception.shown_detail());
    reply.headers_mut().extend(exception.headers().clone());
    reply
}

fn mapped(exception: Caught<WebSocketException>) -> WebSocketException {
    // 3000 more than 2000 is beyond the last close code.
    let code = CloseCode::new(3000 + exception.code().get()).unwrap_or(CloseCode::INTERNAL_ERROR);
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
