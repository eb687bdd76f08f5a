//! A gRPC status in the head of a response.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

#[cfg(not(feature = "tonic"))]
use super::fields::StatusFields;
use super::{
    base64,
    code::GrpcCode,
    content_type::GrpcContentType,
    fields::limit_status,
    message,
    metadata::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS_BIN, into_metadata},
};
#[cfg(feature = "tonic")]
use super::{
    tonic::{add_metadata, status_fields},
    visible::withhold,
};
use crate::{exception::HttpException, headers::set};

/// Returns whether these are the headers of a response that consists of a status alone.
pub(crate) fn is_status(headers: &HeaderMap) -> bool {
    code_of(headers).is_some()
}

/// Returns the code of a response that consists of a status alone.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<GrpcCode> {
    GrpcContentType::of(headers)?;
    code_in(headers)
}

/// Returns the code in the trailers of a gRPC response, or in the head of one.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<GrpcCode> {
    let code = headers.get(GRPC_STATUS)?;
    let number = code.to_str().ok()?.parse().ok()?;
    Some(GrpcCode::from_i32(number))
}

/// Takes from a status that tonic has made what is not meant for the client, and limits its size.
///
/// Any other response stays as it is.
#[cold]
pub(crate) fn restrict<B>(response: &mut Response<B>) {
    if !is_status(response.headers()) {
        return;
    }
    #[cfg(feature = "tonic")]
    if let Some(status) = response.extensions().get().cloned() {
        withhold(response.headers_mut(), &status);
    }
    limit_status(response.headers_mut());
}

/// Renders `exception` into an empty response.
///
/// The form is trailers-only, as [gRPC over HTTP/2] calls a status in the head of a response
/// without a body. gRPC-Web has [the same form][web].
///
/// [gRPC over HTTP/2]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
/// [web]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2
pub(crate) fn render_into<B>(
    response: &mut Response<B>,
    exception: &HttpException,
    content_type: GrpcContentType,
) {
    if let Some(metadata) = exception.headers_if_any() {
        *response.headers_mut() = metadata.clone();
    }
    rerender_into(response, exception, content_type);
}

/// Renders `exception` into a response that holds another rendering of it.
///
/// The headers of the response, which include the exception's, become the metadata.
pub(crate) fn rerender_into<B>(
    response: &mut Response<B>,
    exception: &HttpException,
    content_type: GrpcContentType,
) {
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    #[cfg(feature = "tonic")]
    add_metadata(headers, exception);
    into_metadata(headers);
    set(headers, header::CONTENT_TYPE, content_type.header_value());
    #[cfg(feature = "tonic")]
    let fields = status_fields(exception);
    #[cfg(not(feature = "tonic"))]
    let fields = StatusFields::of(exception).truncated();
    fields.limit_metadata(headers);
    set(headers, GRPC_STATUS, fields.code.header_value());
    if !fields.message.is_empty() {
        set(headers, GRPC_MESSAGE, message::encode(&fields.message));
    }
    if !fields.details.is_empty() {
        let details = base64::encode(&fields.details);
        // A binary header has no padding.
        if let Ok(details) = HeaderValue::from_str(details.trim_end_matches('=')) {
            set(headers, GRPC_STATUS_DETAILS_BIN, details);
        }
    }
}
