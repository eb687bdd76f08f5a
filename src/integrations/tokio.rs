use std::any::Any;

use tokio::task::JoinError;

use crate::BoxError;

/// The payload of the panic that ended a task, where that is what `error` tells of.
pub(crate) fn panic_of_task(error: BoxError) -> Result<Box<dyn Any + Send>, BoxError> {
    let error = error.downcast::<JoinError>()?;
    error.try_into_panic().map_err(BoxError::from)
}
