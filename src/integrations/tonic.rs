//! tonic: any error as a status.

use std::sync::Arc;

use http::StatusCode;
use tonic::Status;

use crate::{
    caught::{IntoFailure, Phase, failure::FailureKind},
    error::{BoxedError, Error, find},
    exception::Exception,
    render::response::handshake_rejection,
};

/// Converts any error to the status that a gRPC client receives, so that `?` works in a tonic
/// handler on both a [`Result<T>`](crate::Result) and an [`Error`].
///
/// An exception becomes its own status, and a `Status` stays as it is. Any other error is INTERNAL,
/// or what the layer knows of it (a timeout is DEADLINE_EXCEEDED), and its text does not reach the
/// client. The error is the source of the status, so that a layer's handlers find it by its type.
///
/// ```
/// use tonic::{Code, Request, Response, Status};
///
/// fn load(name: &str) -> tower_exception::Result<String> {
///     Ok(std::fs::read_to_string(name)?)
/// }
///
/// async fn item(request: Request<String>) -> Result<Response<String>, Status> {
///     Ok(Response::new(load(request.get_ref())?))
/// }
///
/// # futures_executor::block_on(async {
/// let status = item(Request::new("/no/such/file".to_owned())).await.unwrap_err();
/// assert_eq!((status.code(), status.message()), (Code::Internal, "Internal Server Error"));
/// # });
/// ```
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let location = error.location();
        let failure = error.into_failure(Phase::Future);
        // One that is only a source of the error was not made for the client.
        if let Some(status) = find::<Self>(failure.as_error()) {
            return status.clone();
        }
        let exception = match failure.websocket_exception() {
            Some(exception) => handshake_rejection(StatusCode::FORBIDDEN, exception),
            None => failure.stand_in(),
        };
        let mut status = Self::from(exception);
        // An exception is the source already.
        if !matches!(failure.kind, FailureKind::Exception(Exception::Http(_))) {
            status.set_source(Arc::new(BoxedError(failure.into_error(location))));
        }
        status
    }
}
