//! The parts of each request that a layer captures, because its user has asked for them.

use http::{Extensions, HeaderMap, Request};

/// The parts of each request to capture.
#[derive(Clone, Default)]
pub(crate) struct Captures {
    pub(crate) headers: bool,
    values: Vec<fn(&Extensions, &mut Extensions)>,
}

/// Captured parts of one request.
#[derive(Clone)]
pub(super) struct Captured {
    pub(super) headers: Option<HeaderMap>,
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

    #[cold]
    pub(super) fn of<B>(&self, request: &Request<B>) -> Captured {
        let mut values = Extensions::new();
        for capture in &self.values {
            capture(request.extensions(), &mut values);
        }
        Captured {
            headers: self.headers.then(|| request.headers().clone()),
            values,
        }
    }
}
