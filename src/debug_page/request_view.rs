//! The head of a request as texts, with its secrets blanked.

use std::net::IpAddr;

#[cfg(feature = "axum")]
use axum::extract::MatchedPath;
use http::HeaderName;

use super::{
    access::Visitor,
    secrets::{blank_header, blank_query},
};
use crate::caught::RequestHead;

/// The head of a request, without secrets.
pub(super) struct RequestView {
    pub(super) method: String,
    /// The path, and the query without its values.
    pub(super) target: String,
    /// The path as the layer received it.
    pub(super) received: String,
    pub(super) version: String,
    pub(super) route: Option<String>,
    pub(super) peer: Option<IpAddr>,
    pub(super) headers: Vec<(String, String)>,
}

impl RequestView {
    pub(super) fn of(request: &RequestHead, blanked: &[HeaderName]) -> Self {
        let query = request.uri().query().map(blank_query);
        let headers = request.headers().into_iter().flatten();
        Self {
            method: request.method().to_string(),
            target: match query {
                Some(query) => format!("{}?{query}", request.whole_path()),
                None => request.whole_path().to_owned(),
            },
            received: request.uri().path().to_owned(),
            version: format!("{:?}", request.version()),
            route: route(request),
            peer: Visitor::of(request).peer,
            headers: headers
                .map(|(name, value)| (name.to_string(), blank_header(name, value, blanked)))
                .collect(),
        }
    }
}

#[cfg(feature = "axum")]
fn route(request: &RequestHead) -> Option<String> {
    request
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned())
}

#[cfg(not(feature = "axum"))]
fn route(_: &RequestHead) -> Option<String> {
    None
}
