//! Fingerprint of a rendered response, by which a replaced one is known.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use http_body_util::Full;

use crate::{
    exception::Exception,
    grpc::{GRPC_MESSAGE, GRPC_STATUS},
    headers::declared_length,
    render::response::converted_length,
    unwind::catch_or,
};

/// Parts of a rendered response that a middleware changes if it replaces the response.
#[derive(Clone, PartialEq)]
pub(super) struct Fingerprint {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    content_encoding: Option<HeaderValue>,
    grpc_status: Option<HeaderValue>,
    grpc_message: Option<HeaderValue>,
    pub(super) length: Option<u64>,
}

impl Fingerprint {
    /// `length` is the exact length of the body, if it is known.
    pub(super) fn of<B>(response: &Response<B>, length: Option<u64>) -> Self {
        let headers = response.headers();
        let value = |name: &HeaderName| headers.get(name).cloned();
        Self {
            status: response.status(),
            content_type: value(&CONTENT_TYPE),
            content_encoding: value(&CONTENT_ENCODING),
            grpc_status: value(&GRPC_STATUS),
            grpc_message: value(&GRPC_MESSAGE),
            // The response to a `HEAD` declares the length of the body that it does not have.
            length: match length {
                None | Some(0) => declared_length(headers).or(length),
                length => length,
            },
        }
    }

    /// Returns the fingerprint of an exception's conversion into a response.
    pub(super) fn of_conversion(exception: &Exception) -> Self {
        match exception {
            Exception::Http(exception) if !exception.status().is_informational() => {
                let own = |name: &HeaderName| exception.headers_if_any()?.get(name).cloned();
                let length = converted_length(exception);
                let json = || HeaderValue::from_static("application/json");
                Self {
                    status: exception.status(),
                    content_type: length.map(|_| own(&CONTENT_TYPE).unwrap_or_else(json)),
                    content_encoding: own(&CONTENT_ENCODING),
                    grpc_status: own(&GRPC_STATUS),
                    grpc_message: own(&GRPC_MESSAGE),
                    length: length.or(Some(0)),
                }
            }
            exception => {
                let converted = Response::<Full<Bytes>>::from(exception.clone());
                Self::of(&converted, exact_length(converted.body()))
            }
        }
    }

    /// Returns the fingerprint of an unknown error's conversion into a response.
    pub(super) fn of_unknown_error() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            content_type: Some(HeaderValue::from_static("application/json")),
            content_encoding: None,
            grpc_status: None,
            grpc_message: None,
            length: Some(r#"{"detail":"Internal Server Error"}"#.len() as u64),
        }
    }

    /// Returns whether the status differs, over HTTP and over gRPC.
    pub(super) fn has_other_status(&self, rendered: &Self) -> bool {
        self.status != rendered.status
            || self.grpc_status != rendered.grpc_status
            || self.grpc_message != rendered.grpc_message
    }
}

/// Returns the exact length of a body, if it is known.
pub(super) fn exact_length<B: Body>(body: &B) -> Option<u64> {
    exact_length_or(body, None)
}

/// Returns the exact length of a body, if it is known, and `otherwise` if the body panics. It is
/// user code.
pub(super) fn exact_length_or<B: Body>(body: &B, otherwise: Option<u64>) -> Option<u64> {
    catch_or(otherwise, || match body.is_end_stream() {
        true => Some(0),
        false => body.size_hint().exact(),
    })
}
