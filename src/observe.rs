use std::sync::Arc;

use http::StatusCode;

use crate::{Caught, interrupt::quietly};

/// What the client was given for something that was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Answer {
    /// A response with this status.
    Status(StatusCode),
    /// Nothing: the head of the response was out, and its body ended with an error.
    CutShort,
}

/// The user's functions that are told of everything that is caught.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<Observer>>);

type Observer = dyn Fn(&Caught, Answer) + Send + Sync;

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Fn(&Caught, Answer) + Send + Sync + 'static) {
        self.0.push(Arc::new(observer));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells them all, also where one of them panics.
    pub(crate) fn tell(&self, caught: &Caught, answer: Answer) {
        for observer in &self.0 {
            quietly(|| observer(caught, answer));
        }
    }
}
