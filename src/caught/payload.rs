//! The payload of a panic, until a handler for its type takes it.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::unwind::ignore_panic;

/// Payload of a panic that is neither a text nor anything that was raised. Clones share it.
#[derive(Clone)]
pub(crate) struct Payload(Arc<Shared>);

struct Shared(Mutex<Option<Box<dyn Any + Send>>>);

impl Payload {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        Self(Arc::new(Shared(Mutex::new(Some(payload)))))
    }

    /// Replaces the payload by what `take` returns as the error, or returns what it has made of the
    /// payload.
    pub(super) fn try_take<T>(
        &self,
        take: impl FnOnce(Box<dyn Any + Send>) -> Result<T, Box<dyn Any + Send>>,
    ) -> Option<T> {
        let mut payload = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match take(payload.take()?) {
            Ok(taken) => Some(taken),
            Err(other) => {
                *payload = Some(other);
                None
            }
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// The `Drop` of the payload is user code.
impl Drop for Shared {
    fn drop(&mut self) {
        let payload = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        ignore_panic(|| drop(payload.take()));
    }
}
