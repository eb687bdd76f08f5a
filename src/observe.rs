use std::sync::Arc;

use http::{Response, StatusCode};

use crate::{Caught, CloseCode, GrpcCode, grpc, interrupt::quietly};

/// What the client was given for something that was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Answer {
    /// A response with this status.
    Status(StatusCode),
    /// A gRPC status with this code, whose HTTP status is always 200: in the head of the response, or, where that
    /// was out ([`Place::Body`](crate::Place::Body)), behind the messages.
    Grpc(GrpcCode),
    /// A WebSocket's close frame with this code.
    Close(CloseCode),
    /// Nothing: the head of the response was out, and its body ended with an error; or the WebSocket could take
    /// no close frame any more.
    CutShort,
}

impl Answer {
    pub(crate) fn by<B>(response: &Response<B>) -> Self {
        match grpc::code_of(response.headers()) {
            Some(code) => Self::Grpc(code),
            None => Self::Status(response.status()),
        }
    }
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
