//! The user's handlers, and the choice of the one that replies.

use std::{
    any::{TypeId, type_name},
    error::Error,
    fmt,
    sync::Arc,
};

use http::StatusCode;

use super::{Handler, HandlerOutput};
use crate::{
    caught::{Caught, failure::Failure},
    diagnostics,
    exception::HttpException,
};

/// The handlers of a layer: by status, by type, for anything.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    by_status: Vec<(StatusCode, ErasedHandler)>,
    by_type: Vec<(ErrorType, ErasedHandler)>,
    any: Option<ErasedHandler>,
}

/// A handler without its types. It receives the failure, and the number of sources down to the
/// error that it handles.
pub(crate) type ErasedHandler = Arc<dyn Fn(&Caught, usize) -> HandlerOutput + Send + Sync>;

fn erase<E: ?Sized, M>(handler: impl Handler<E, M>) -> ErasedHandler {
    Arc::new(move |caught, depth| handler.handle(caught.at(depth)))
}

/// The type of an error, and a test for it.
#[derive(Clone, Copy)]
struct ErrorType {
    id: TypeId,
    name: &'static str,
    is: fn(&(dyn Error + 'static)) -> bool,
}

impl PartialEq for ErrorType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Handlers {
    pub(crate) fn on_status<M>(
        &mut self,
        status: StatusCode,
        handler: impl Handler<HttpException, M>,
    ) {
        insert(&mut self.by_status, status, erase(handler));
    }

    pub(crate) fn on<E: Error + 'static, M>(&mut self, handler: impl Handler<E, M>) {
        let key = ErrorType {
            id: TypeId::of::<E>(),
            name: type_name::<E>(),
            is: |error| error.is::<E>(),
        };
        insert(&mut self.by_type, key, erase(handler));
    }

    pub(crate) fn on_any<M>(&mut self, handler: impl Handler<dyn Error + Send + Sync, M>) {
        if self.any.replace(erase(handler)).is_some() {
            diagnostics::handler_replaced(&"any error");
        }
    }

    /// Finds the handler of `failure`. As in Starlette, one for the status comes first, then one
    /// for a type, then the one for anything.
    pub(crate) fn find(&self, failure: &Failure) -> Option<(&ErasedHandler, usize)> {
        self.find_status(failure)
            .or_else(|| self.find_type(failure))
            .or_else(|| self.any.as_ref().map(|handler| (handler, 0)))
    }

    fn find_status(&self, failure: &Failure) -> Option<(&ErasedHandler, usize)> {
        if self.by_status.is_empty() {
            return None;
        }
        let (depth, exception) = failure
            .errors()
            .enumerate()
            .find_map(|(depth, error)| Some((depth, error.downcast_ref::<HttpException>()?)))?;
        let (_, handler) = self
            .by_status
            .iter()
            .find(|(status, _)| *status == exception.status())?;
        Some((handler, depth))
    }

    fn find_type(&self, failure: &Failure) -> Option<(&ErasedHandler, usize)> {
        failure.errors().enumerate().find_map(|(depth, error)| {
            let (_, handler) = self.by_type.iter().find(|(key, _)| (key.is)(error))?;
            Some((handler, depth))
        })
    }
}

/// Inserts as into a map: the later one wins.
fn insert<K: PartialEq + fmt::Display>(
    entries: &mut Vec<(K, ErasedHandler)>,
    key: K,
    handler: ErasedHandler,
) {
    match entries.iter_mut().find(|(other, _)| *other == key) {
        Some(entry) => {
            diagnostics::handler_replaced(&key);
            entry.1 = handler;
        }
        None => entries.push((key, handler)),
    }
}
