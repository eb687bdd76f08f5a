//! Headers of a response that carries a failure, which stay if a handler replies.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{SET_COOKIE, VARY},
};

use super::AnswerBody;
use crate::{
    caught::{Mechanism, failure::Failure},
    exception::Exception,
    headers::{FRAMING, describes_only_body},
};

/// Adds the headers that layers between the failure and this one have set.
///
/// The handler decides on the exception's own headers. An adopted response's headers and those of
/// layers in between look alike, so that all of them stay.
pub(super) fn keep_headers(
    response: &mut Response<AnswerBody>,
    carried: &HeaderMap,
    failure: &Failure,
) {
    let status = response.status();
    let reply = response.headers_mut();
    let own = match failure.as_exception() {
        Some(Exception::Http(exception)) if failure.mechanism != Mechanism::Adopted => {
            exception.headers_if_any()
        }
        _ => None,
    };
    let is_own = |name: &HeaderName, value: &HeaderValue| {
        own.is_some_and(|own| own.get_all(name).iter().any(|other| other == value))
    };
    let mut kept: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (name, value) in carried {
        let is_of_body = describes_only_body(name, status) || FRAMING.contains(name);
        let is_replied = match ADDITIVE.contains(name) {
            true => reply.get_all(name).iter().any(|replied| replied == value),
            false => reply.contains_key(name),
        };
        let is_grpc = name.as_str().starts_with("grpc-");
        if !is_of_body && !is_replied && !is_grpc && !is_own(name, value) {
            kept.push((name.clone(), value.clone()));
        }
    }
    for (name, value) in kept {
        // A full map is full: the reply's own headers come first.
        let _ = reply.try_append(name, value);
    }
}

/// Headers whose lines do not replace each other (RFC 6265, section 3; RFC 9110, section 12.5.5).
const ADDITIVE: [HeaderName; 2] = [SET_COOKIE, VARY];
