//! The default renderer, FastAPI's JSON.

use std::io;

use http::HeaderValue;

use super::{Content, Negotiable, Render, Rendered};
use crate::{
    caught::Caught,
    exception::{DetailRef, HttpException},
};

/// Renderer of `{"detail": ...}` as `application/json`: the default, and FastAPI's form.
///
/// If the layer [identifies](crate::ExceptionLayer::identify) failures, `error_id` follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Render for Json {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        render_json_with_id(exception, caught.id()).into()
    }
}

impl Negotiable for Json {
    fn media_type(&self) -> &str {
        MEDIA_TYPE
    }
}

const MEDIA_TYPE: &str = "application/json";
const OPEN: &[u8] = br#"{"detail":"#;
const CLOSE: &[u8] = b"}";

/// Renders `exception` with the id of its failure, if that has one:
/// `{"detail": ..., "error_id": ...}`.
pub(crate) fn render_json_with_id(exception: &HttpException, id: Option<&str>) -> Content {
    let mut content = render_json(exception);
    if let Some(id) = id {
        let mut body = Vec::from(content.body);
        body.truncate(body.len() - CLOSE.len());
        body.extend_from_slice(br#","error_id":"#);
        // Neither a `str` nor a `Vec` can fail.
        let _ = serde_json::to_writer(&mut body, id);
        body.extend_from_slice(CLOSE);
        content.body = body.into();
    }
    content
}

pub(crate) fn render_json(exception: &HttpException) -> Content {
    const QUOTES: usize = 2;

    let detail = exception.detail_or_reason();
    let length = match detail {
        DetailRef::Text(text) => text.len() + QUOTES,
        DetailRef::Json(raw) => raw.get().len(),
    };
    // The exact length unless a character is escaped: `Bytes` takes a full `Vec` without a copy.
    let mut body = Vec::with_capacity(OPEN.len() + length + CLOSE.len());
    body.extend_from_slice(OPEN);
    match detail {
        // Neither a `str` nor a `Vec` can fail.
        DetailRef::Text(text) => drop(serde_json::to_writer(&mut body, text)),
        DetailRef::Json(raw) => body.extend_from_slice(raw.get().as_bytes()),
    }
    body.extend_from_slice(CLOSE);
    Content {
        content_type: HeaderValue::from_static(MEDIA_TYPE),
        body: body.into(),
    }
}

/// Returns the length of the body that [`render_json`] makes, without making it.
pub(crate) fn json_length(exception: &HttpException) -> u64 {
    struct Count(u64);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count((OPEN.len() + CLOSE.len()) as u64);
    match exception.detail_or_reason() {
        // A count cannot fail.
        DetailRef::Text(text) => drop(serde_json::to_writer(&mut count, text)),
        DetailRef::Json(raw) => count.0 += raw.get().len() as u64,
    }
    count.0
}
