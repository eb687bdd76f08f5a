//! The user's handlers, and the order in which they are asked.

use std::{
    any::{Any, TypeId, type_name},
    error::Error,
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
    exception::{Exception, HttpException, WebSocketException},
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
    id: TypeId,
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
            id: TypeId::of::<E>(),
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

    /// Finds the handler of `failure` that is asked after `asked` others.
    ///
    /// As in Starlette, those for the status of an exception come first. Those for a type are next,
    /// then those for the status that any other failure has by default, then those for anything.
    pub(crate) fn find(
        &self,
        failure: &Failure,
        asked: usize,
    ) -> Option<(&ErasedHandler, Subject)> {
        let mut asked = asked;
        let asked = &mut asked;
        self.of_exception(failure, asked)
            .or_else(|| self.of_type(failure, asked))
            .or_else(|| self.of_default(failure, asked))
            .or_else(|| {
                let handler = self.any.iter().rev().nth(*asked)?;
                Some((handler, Subject::Source(0)))
            })
    }

    /// Finds a handler for the status of the exception that was caught.
    fn of_exception(
        &self,
        failure: &Failure,
        asked: &mut usize,
    ) -> Option<(&ErasedHandler, Subject)> {
        let Exception::Http(exception) = failure.as_exception()? else {
            return None;
        };
        let handler = self.of_status(exception.status(), asked)?;
        let depth = failure.errors().position(|it| it.is::<HttpException>())?;
        Some((handler, Subject::Source(depth)))
    }

    /// Finds a handler for the type of an error in the chain of the failure.
    fn of_type(&self, failure: &Failure, asked: &mut usize) -> Option<(&ErasedHandler, Subject)> {
        if self.by_type.is_empty() {
            return None;
        }
        failure.find_error(|depth, error| {
            let exception = type_of_exception(error);
            let handlers = self.by_type.iter().rev();
            let mut handlers = handlers.filter(|(of, _)| match exception {
                Some(id) => of.id == id,
                None => (of.is)(error),
            });
            let (_, handler) = handlers.find(|_| is_next(asked))?;
            Some((handler, Subject::Source(depth)))
        })
    }

    /// Finds a handler for the status that a failure without an exception has by default.
    fn of_default(
        &self,
        failure: &Failure,
        asked: &mut usize,
    ) -> Option<(&ErasedHandler, Subject)> {
        if self.by_status.is_empty() || failure.as_exception().is_some() {
            return None;
        }
        let handler = self.of_status(failure.stand_in().status(), asked)?;
        Some((handler, Subject::StandIn))
    }

    /// Finds a handler for `status`: those for it alone come before those for a range.
    fn of_status(&self, status: StatusCode, asked: &mut usize) -> Option<&ErasedHandler> {
        let status = status.as_u16();
        [true, false].into_iter().find_map(|for_one| {
            let handlers = self.by_status.iter().rev();
            let mut handlers = handlers.filter(|(statuses, _)| {
                statuses.contains(&status) && (statuses.start() == statuses.end()) == for_one
            });
            let (_, handler) = handlers.find(|_| is_next(asked))?;
            Some(handler)
        })
    }
}

/// Returns the type of an exception, which is no other error and holds none. Its handlers are found
/// by a comparison.
fn type_of_exception(error: &(dyn Error + 'static)) -> Option<TypeId> {
    if error.is::<HttpException>() {
        return Some(TypeId::of::<HttpException>());
    }
    if error.is::<Exception>() {
        return Some(TypeId::of::<Exception>());
    }
    let is_other = error.is::<WebSocketException>();
    is_other.then(TypeId::of::<WebSocketException>)
}

/// Returns whether a handler that matches is the next to be asked, after `asked` others.
fn is_next(asked: &mut usize) -> bool {
    let is_next = *asked == 0;
    *asked = asked.saturating_sub(1);
    is_next
}
