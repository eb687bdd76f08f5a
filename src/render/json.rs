use http::HeaderValue;

use super::{Render, Rendered};
use crate::{HttpException, RequestHead, exception::Shown};

/// Renders `{"detail": ...}` as `application/json`: the default, and what FastAPI does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Render for Json {
    fn render(&self, exception: &HttpException, _: &RequestHead) -> Rendered {
        render(exception)
    }
}

pub(crate) fn render(exception: &HttpException) -> Rendered {
    const OPEN: &[u8] = br#"{"detail":"#;
    const CLOSE: &[u8] = b"}";
    const QUOTES: usize = 2;

    let detail = exception.shown();
    let length = match detail {
        Shown::Text(text) => text.len() + QUOTES,
        Shown::Json(raw) => raw.get().len(),
    };
    // Just as long as it will be where nothing is escaped: `Bytes` then takes it as it is.
    let mut body = Vec::with_capacity(OPEN.len() + length + CLOSE.len());
    body.extend_from_slice(OPEN);
    match detail {
        // Neither a `str` nor a `Vec` has a way to fail.
        Shown::Text(text) => drop(serde_json::to_writer(&mut body, text)),
        Shown::Json(raw) => body.extend_from_slice(raw.get().as_bytes()),
    }
    body.extend_from_slice(CLOSE);
    Rendered::new(HeaderValue::from_static("application/json"), body)
}
