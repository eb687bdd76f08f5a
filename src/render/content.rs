//! From a renderer's content to the response: the body, and the headers that describe it.

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{Content, IntoParts, framing::drop_framing};
use crate::{
    exception::{Detail, HttpException},
    format::ResponseFormat,
    headers::set,
};

/// Body and headers that a renderer has made, or `None` for a status without a body.
pub(super) type RenderedContent = Option<(Content, Option<Box<HeaderMap>>)>;

#[inline]
pub(super) fn render_content<R: IntoParts>(
    exception: &HttpException,
    status: StatusCode,
    render: impl FnOnce(&HttpException) -> R,
) -> RenderedContent {
    (!is_without_body(status, exception)).then(|| render(exception).into_parts())
}

/// Fills `response`, which is empty. `headers` are those of the exception.
#[inline]
pub(super) fn fill<B: From<Bytes>>(
    response: &mut Response<B>,
    status: StatusCode,
    headers: Option<HeaderMap>,
    content: RenderedContent,
    format: ResponseFormat,
) {
    *response.status_mut() = status;
    if let Some(mut headers) = headers {
        drop_framing(&mut headers, status);
        *response.headers_mut() = headers;
    }
    set_body(response, content, format);
}

/// Sets the body, and the headers that describe it, for the response's status.
#[inline]
pub(super) fn set_body<B: From<Bytes>>(
    response: &mut Response<B>,
    content: RenderedContent,
    format: ResponseFormat,
) {
    let status = response.status();
    let Some((Content { content_type, body }, added)) = content else {
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            set(headers, CONTENT_LENGTH, 0);
        }
        return;
    };
    let headers = response.headers_mut();
    if headers.is_empty() || !headers.contains_key(CONTENT_TYPE) {
        set(headers, CONTENT_TYPE, content_type);
    }
    if let Some(added) = added {
        append_of_renderer(headers, *added, status);
    }
    match format {
        // The length of the body that a `GET` would receive (RFC 9110, section 9.3.2). The server
        // cannot derive it from a body that is not sent.
        ResponseFormat::Head => set(headers, CONTENT_LENGTH, body.len()),
        ResponseFormat::HeadOfUnknownLength => {}
        ResponseFormat::Http | ResponseFormat::Grpc(_) => *response.body_mut() = body.into(),
    }
}

/// Appends the headers of a renderer. A line that is there already comes from a rendering that this
/// one replaces, such as an inner layer's `vary`.
#[cold]
fn append_of_renderer(headers: &mut HeaderMap, mut added: HeaderMap, status: StatusCode) {
    drop_framing(&mut added, status);
    for (name, value) in &added {
        if !headers.get_all(name).iter().any(|line| line == value) {
            // A full map is full.
            let _ = headers.try_append(name, value.clone());
        }
    }
}

/// Returns whether the response has no body: with a 204, 205 and 304 (RFC 9110, sections 15.3.5,
/// 15.3.6 and 15.4.5), and with another redirection unless the exception has a detail.
///
/// A client that follows a redirection shows no body. Its status alone says nothing to a reader.
pub(super) fn is_without_body(status: StatusCode, exception: &HttpException) -> bool {
    let is_redirection = status.is_redirection() && matches!(exception.detail(), Detail::Canonical);
    is_redirection
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        )
}
