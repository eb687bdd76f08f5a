//! The user's handlers, and the order in which they are asked.

use std::{
    any::{Any, type_name},
    error::Error,
    iter,
    ops::RangeInclusive,
    sync::Arc,
};

use http::StatusCode;

use super::{Handler, HandlerOutput};
use crate::{
    caught::{
        Caught, Subject,
        failure::{Failure, FromPayload},
    },
    error::is,
    exception::HttpException,
};

/// The handlers of a layer: by status, by type, for anything. Each list is in the order of
/// registration.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    by_status: Vec<(RangeInclusive<u16>, ErasedHandler)>,
    by_type: Vec<(ErrorType, ErasedHandler)>,
    any: Vec<ErasedHandler>,
}

/// A handler without its types. It receives the failure, and the error of it that it handles.
pub(crate) type ErasedHandler = Arc<dyn Fn(&Caught, Subject) -> HandlerOutput + Send + Sync>;

fn erase<E: ?Sized, M>(handler: impl Handler<E, M>) -> ErasedHandler {
    Arc::new(move |caught, handled| handler.handle(caught.at(handled)))
}

/// The type of an error.
#[derive(Clone, Copy)]
struct ErrorType {
    is: fn(&(dyn Error + 'static)) -> bool,
    from_payload: FromPayload,
}

impl Handlers {
    pub(crate) fn on_status<M>(
        &mut self,
        statuses: RangeInclusive<u16>,
        handler: impl Handler<HttpException, M>,
    ) {
        self.by_status.push((statuses, erase(handler)));
    }

    pub(crate) fn on<E, M>(&mut self, handler: impl Handler<E, M>)
    where
        E: Error + Send + Sync + 'static,
    {
        let of = ErrorType {
            is: is::<E>,
            from_payload: |payload: Box<dyn Any + Send>| {
                Ok((payload.downcast::<E>()?, type_name::<E>()))
            },
        };
        self.by_type.push((of, erase(handler)));
    }

    pub(crate) fn on_any<M>(&mut self, handler: impl Handler<dyn Error + Send + Sync, M>) {
        self.any.push(erase(handler));
    }

    /// Returns the conversions of payloads into the errors that have a handler.
    pub(crate) fn payload_types(&self) -> impl Iterator<Item = FromPayload> {
        self.by_type.iter().map(|(of, _)| of.from_payload)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_status.is_empty() && self.by_type.is_empty() && self.any.is_empty()
    }

    /// Returns the handlers of `failure`, in the order in which they are asked.
    ///
    /// As in Starlette, those for the status of an exception come first. Those for a type are next,
    /// then those for the status that any other failure has by default, then those for anything.
    pub(crate) fn of<'a>(
        &'a self,
        failure: &'a Failure,
    ) -> impl Iterator<Item = (&'a ErasedHandler, Subject)> {
        let by_status = once_with(|| self.of_exception(failure));
        let by_type = failure.errors().enumerate().flat_map(|(depth, error)| {
            let handlers = self.by_type.iter().rev();
            let handlers = handlers.filter(move |(of, _)| (of.is)(error));
            handlers.map(move |(_, handler)| (handler, Subject::Source(depth)))
        });
        let by_default = once_with(|| self.of_default(failure));
        let any = self.any.iter().rev();
        by_status
            .chain(by_type)
            .chain(by_default)
            .chain(any.map(|handler| (handler, Subject::Source(0))))
    }

    /// Returns the handlers for the status of the exception that was caught.
    fn of_exception<'a>(
        &'a self,
        failure: &Failure,
    ) -> Option<impl Iterator<Item = (&'a ErasedHandler, Subject)>> {
        if self.by_status.is_empty() {
            return None;
        }
        let (depth, exception) = failure
            .errors()
            .enumerate()
            .find_map(|(depth, error)| Some((depth, error.downcast_ref::<HttpException>()?)))?;
        Some(self.of_status(exception.status(), Subject::Source(depth)))
    }

    /// Returns the handlers for the status that a failure without an exception has by default.
    fn of_default<'a>(
        &'a self,
        failure: &Failure,
    ) -> Option<impl Iterator<Item = (&'a ErasedHandler, Subject)>> {
        if self.by_status.is_empty() || failure.as_exception().is_some() {
            return None;
        }
        Some(self.of_status(failure.stand_in().status(), Subject::StandIn))
    }

    /// Returns the handlers for `status`: those for it alone, then those for a range.
    fn of_status(
        &self,
        status: StatusCode,
        handled: Subject,
    ) -> impl Iterator<Item = (&ErasedHandler, Subject)> {
        let status = status.as_u16();
        [true, false].into_iter().flat_map(move |for_one| {
            let handlers = self.by_status.iter().rev();
            let handlers = handlers.filter(move |(statuses, _)| {
                statuses.contains(&status) && (statuses.start() == statuses.end()) == for_one
            });
            handlers.map(move |(_, handler)| (handler, handled))
        })
    }
}

/// Returns an iterator that is made when it is first used.
fn once_with<T, I: Iterator<Item = T>>(
    make: impl FnOnce() -> Option<I>,
) -> impl Iterator<Item = T> {
    iter::once_with(make).flatten().flatten()
}
