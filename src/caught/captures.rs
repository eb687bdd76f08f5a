//! The parts of each request that a layer captures, because its user has asked for them.

use http::{
    Extensions, HeaderMap, Request,
    header::{ACCEPT, HeaderValue},
};

use crate::ids::{Ids, ReceivedId};

/// The parts of each request to capture.
#[derive(Clone, Default)]
pub(crate) struct Captures {
    pub(crate) headers: bool,
    /// Whether the renderer reads `Accept`.
    pub(crate) accept: bool,
    /// The headers of which one may have the id of the failure.
    pub(crate) ids: Option<Ids>,
    values: Vec<fn(&Extensions, &mut Extensions)>,
}

/// Captured parts of one request.
#[derive(Clone)]
pub(super) struct Captured {
    pub(super) headers: Option<HeaderMap>,
    /// The first line of `Accept`, unless all headers are captured.
    first_accept: Option<HeaderValue>,
    /// The other lines. Most requests have one line, which takes no allocation.
    more_accept: Vec<HeaderValue>,
    id: Option<ReceivedId>,
    /// Values of the request's extensions.
    pub(super) values: Extensions,
}

impl Captures {
    /// Captures the extension of the type `T`.
    pub(crate) fn add<T: Clone + Send + Sync + 'static>(&mut self) {
        self.values.push(|from, to| {
            if let Some(value) = from.get::<T>() {
                to.insert(value.clone());
            }
        });
    }

    /// Returns the captured parts of `request`, or `None` if it has none of them.
    #[cold]
    pub(super) fn of<B>(&self, request: &Request<B>) -> Option<Box<Captured>> {
        let mut values = Extensions::new();
        for capture in &self.values {
            capture(request.extensions(), &mut values);
        }
        let mut captured = Captured::new(self.headers.then(|| request.headers().clone()), values);
        if self.accept && !self.headers {
            let mut lines = request.headers().get_all(ACCEPT).iter().cloned();
            captured.first_accept = lines.next();
            captured.more_accept.extend(lines);
        }
        captured.id = self
            .ids
            .as_ref()
            .and_then(|ids| ids.received(request.headers()));
        let is_empty = captured.headers.is_none()
            && captured.first_accept.is_none()
            && captured.id.is_none()
            && captured.values.is_empty();
        (!is_empty).then(|| Box::new(captured))
    }
}

impl Captured {
    pub(super) fn new(headers: Option<HeaderMap>, values: Extensions) -> Self {
        Self {
            headers,
            first_accept: None,
            more_accept: Vec::new(),
            id: None,
            values,
        }
    }

    /// Returns the lines of `Accept`.
    pub(super) fn accept(&self) -> impl Iterator<Item = &HeaderValue> {
        let captured = self.headers.iter();
        let captured = captured.flat_map(|headers| headers.get_all(ACCEPT));
        self.first_accept
            .iter()
            .chain(&self.more_accept)
            .chain(captured)
    }

    /// Returns the id that the request has brought.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_ref()?.as_str()
    }

    /// Returns the values of all captured headers.
    #[cfg(feature = "websocket")]
    pub(super) fn header_values_mut(&mut self) -> impl Iterator<Item = &mut HeaderValue> {
        let captured = self.headers.iter_mut().flat_map(HeaderMap::values_mut);
        self.first_accept
            .iter_mut()
            .chain(&mut self.more_accept)
            .chain(self.id.as_mut().map(ReceivedId::value_mut))
            .chain(captured)
    }
}
