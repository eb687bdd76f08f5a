//! The form of an exception for a terminal: one line of text.

use std::fmt::Write;

use http::HeaderValue;

use super::{Negotiable, Render, Rendered};
use crate::{
    caught::Caught,
    exception::{Detail, HttpException},
};

const MEDIA_TYPE: &str = "text/plain; charset=utf-8";

/// Renderer of one line as `text/plain`: `404 Not Found: no such item`.
///
/// The line is the status with its reason, and the detail if there is one. A detail in JSON is
/// written as JSON. Each [fault of the request](HttpException::invalid) is a line of its own, and
/// so is the id of the failure if the layer [identifies](crate::ExceptionLayer::identify) failures.
///
/// ```
/// use http::Request;
/// use tower_exception::{Caught, HttpException, RequestHead, render::{Render, Text}};
///
/// let (parts, _) = Request::get("/items/2").body(()).unwrap().into_parts();
/// let exception = HttpException::not_found("no such item");
/// let caught = Caught::new(exception.clone(), RequestHead::from(&parts)).into_any();
/// let rendered = Text.render(&exception, &caught);
/// assert_eq!(&rendered.body()[..], b"404 Not Found: no such item\n");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Render for Text {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        let status = exception.status();
        let mut text = status.as_str().to_owned();
        if let Some(reason) = status.canonical_reason() {
            text.extend([" ", reason]);
        }
        match exception.own_detail() {
            Detail::Canonical => {}
            Detail::Text(detail) if detail.is_empty() => {}
            Detail::Text(detail) => text.extend([": ", detail]),
            Detail::Json(detail) => text.extend([": ", detail.get()]),
        }
        text.push('\n');
        for fault in exception.faults() {
            // A `String` cannot fail.
            let _ = writeln!(text, "{fault}");
        }
        if let Some(id) = caught.id() {
            let _ = writeln!(text, "error id: {id}");
        }
        Rendered::new(HeaderValue::from_static(MEDIA_TYPE), text)
    }
}

impl Negotiable for Text {
    fn media_type(&self) -> &str {
        MEDIA_TYPE
    }
}
