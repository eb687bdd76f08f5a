//! The user's handlers, and which of them answers.

mod handler;
mod reply;

use std::{
    any::{TypeId, type_name},
    error::Error,
    fmt,
    sync::Arc,
};

use http::StatusCode;

pub use handler::{Handled, Handler};
pub(crate) use reply::ReplyKind;
pub use reply::{IntoReply, Reply};

use crate::{Caught, HttpException, log, thrown::Thrown};

#[derive(Clone, Default)]
pub(crate) struct Handlers {
    by_status: Vec<(StatusCode, Erased)>,
    by_type: Vec<(ErrorType, Erased)>,
    any: Option<Erased>,
}

/// A handler whose types are forgotten. It is given what was caught, and how many sources down the error
/// is that it handles.
pub(crate) type Erased = Arc<dyn Fn(&Caught, usize) -> Handled + Send + Sync>;

fn erase<E: ?Sized, M>(handler: impl Handler<E, M>) -> Erased {
    Arc::new(move |caught, depth| handler.handle(caught.at(depth)))
}

/// The type of an error, and a test of whether a given one is of it.
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
        put(&mut self.by_status, status, erase(handler));
    }

    pub(crate) fn on<E: Error + 'static, M>(&mut self, handler: impl Handler<E, M>) {
        let key = ErrorType {
            id: TypeId::of::<E>(),
            name: type_name::<E>(),
            is: |error| error.is::<E>(),
        };
        put(&mut self.by_type, key, erase(handler));
    }

    pub(crate) fn on_any<M>(&mut self, handler: impl Handler<dyn Error + Send + Sync, M>) {
        if self.any.replace(erase(handler)).is_some() {
            log::handler_replaced(&"any error");
        }
    }

    /// The handler that answers `thrown`: as Starlette has it, one for the status comes first, then one
    /// for a type, then the one for anything.
    pub(crate) fn find(&self, thrown: &Thrown) -> Option<(&Erased, usize)> {
        self.find_status(thrown)
            .or_else(|| self.find_type(thrown))
            .or_else(|| self.any.as_ref().map(|handler| (handler, 0)))
    }

    fn find_status(&self, thrown: &Thrown) -> Option<(&Erased, usize)> {
        if self.by_status.is_empty() {
            return None;
        }
        let (depth, exception) = thrown
            .errors()
            .enumerate()
            .find_map(|(depth, error)| Some((depth, error.downcast_ref::<HttpException>()?)))?;
        let (_, handler) = self
            .by_status
            .iter()
            .find(|(status, _)| *status == exception.status())?;
        Some((handler, depth))
    }

    fn find_type(&self, thrown: &Thrown) -> Option<(&Erased, usize)> {
        thrown.errors().enumerate().find_map(|(depth, error)| {
            let (_, handler) = self.by_type.iter().find(|(key, _)| (key.is)(error))?;
            Some((handler, depth))
        })
    }
}

/// As into a map: the later one wins.
fn put<K: PartialEq + fmt::Display>(entries: &mut Vec<(K, Erased)>, key: K, handler: Erased) {
    match entries.iter_mut().find(|(other, _)| *other == key) {
        Some(entry) => {
            log::handler_replaced(&key);
            entry.1 = handler;
        }
        None => entries.push((key, handler)),
    }
}
