//! A handler's reply.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;

use super::ReplyBody;
#[cfg(feature = "axum")]
use crate::caught::returned::UnhandledFailure;
use crate::{
    caught::{
        IntoFailure, Phase,
        failure::{Failure, FailureKind},
    },
    error::{BoxError, Error},
    exception::{Exception, HttpException, WebSocketException},
    unwind::catch_or,
};

/// Reply of a handler.
///
/// A handler that has several kinds of replies returns this type:
///
/// ```
/// use http::StatusCode;
/// use tower_exception::{Caught, ExceptionLayer, HttpException, Reply};
///
/// let layer = ExceptionLayer::new().on(|error: Caught<std::io::Error>| match error.kind() {
///     std::io::ErrorKind::NotFound => Reply::from(HttpException::not_found("no such file")),
///     std::io::ErrorKind::PermissionDenied => Reply::from(StatusCode::FORBIDDEN),
///     // The next handler, and at last the default.
///     _ => Reply::decline(),
/// });
/// ```
#[must_use = "a handler returns it to the layer"]
pub struct Reply(ReplyKind);

pub(crate) enum ReplyKind {
    /// An exception, for the layer to render.
    Exception(Exception),
    /// An error with which the handler has failed.
    Failure(Box<Failure>),
    /// A response, to be sent as it is. It is in a box, so that a reply is moved as a pointer.
    Response(Box<HandlerResponse>),
    /// A response whose status is the one that the failure has by default.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    Body(Box<HandlerResponse>),
    /// No reply: the next handler is asked.
    None,
}

/// Extension of the response that a reply which declines becomes, such as in a `Result`.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(crate) struct Declined;

/// Response of a handler.
pub(crate) type HandlerResponse = Response<ReplyBody>;

/// Type that a handler may return.
///
/// - The layer renders an exception ([`HttpException`], [`WebSocketException`], [`Exception`]), a
///   [`StatusCode`] and an [`Error`].
/// - An [`http::Response`] with any body of [`Bytes`] is sent as it is. If it has an error status,
///   no header and no body, it says no more than that status, and is rendered as the status.
/// - `()` and [`Reply::decline`] are no reply: the next handler is asked.
/// - A `Result` of two of these is the one that it holds.
/// - With the feature `axum`, everything that is `IntoResponse` is a reply. A text, bytes, `Json`
///   and `Html` have the status that the failure has by default.
///
/// The trait is sealed: a type of your own is a reply if it is `IntoResponse`, or if the handler
/// converts it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reply to a failure",
    label = "a handler returned this",
    note = "a handler returns an exception, a `StatusCode`, a `tower_exception::Error`, a `Reply`, `()`, or an `http::Response` with a body of `Bytes`",
    note = "with the feature `axum` of `tower-exception` also anything that is `IntoResponse`: implement it, or convert the value in the handler"
)]
pub trait IntoReply: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn into_reply(self) -> Reply;
}

impl Reply {
    /// Declines to reply. The next handler that matches is asked, then the default applies, and
    /// then an outer layer may handle the failure.
    pub fn decline() -> Self {
        Self(ReplyKind::None)
    }

    #[cfg_attr(not(feature = "axum"), allow(unused_mut))]
    fn response<B>(mut response: Response<B>) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        // An `Error` that is inside of another type has become a response.
        #[cfg(feature = "axum")]
        if !response.extensions().is_empty() {
            if let Some(UnhandledFailure(failed)) = response.extensions_mut().remove() {
                return Self(ReplyKind::Failure(failed.of_handler()));
            }
        }
        // `Status::into_http` leaves the status here, which only a gRPC client could read.
        #[cfg(feature = "tonic")]
        if let Some(status) = response.extensions().get::<tonic::Status>() {
            return HttpException::from(status.clone()).into();
        }
        if is_bare_error(&response) {
            return response.status().into();
        }
        Self(ReplyKind::Response(Box::new(response.map(ReplyBody::new))))
    }

    pub(crate) fn into_kind(self) -> ReplyKind {
        self.0
    }

    pub(crate) fn is_declined(&self) -> bool {
        matches!(self.0, ReplyKind::None)
    }
}

impl From<Exception> for Reply {
    fn from(exception: Exception) -> Self {
        Self(ReplyKind::Exception(exception))
    }
}

impl From<HttpException> for Reply {
    fn from(exception: HttpException) -> Self {
        Self::from(Exception::Http(exception))
    }
}

impl From<WebSocketException> for Reply {
    fn from(exception: WebSocketException) -> Self {
        Self::from(Exception::WebSocket(exception))
    }
}

impl From<StatusCode> for Reply {
    fn from(status: StatusCode) -> Self {
        Self::from(HttpException::new(status))
    }
}

/// The reply of an exception, or of a handler that has failed with another error.
impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        let failure = error.into_failure(Phase::Handling);
        match failure.kind {
            FailureKind::Exception(exception) => exception.into(),
            FailureKind::Error(..) | FailureKind::Panic(_) => {
                Self(ReplyKind::Failure(Box::new(failure)))
            }
        }
    }
}

impl<B> From<Response<B>> for Reply
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    fn from(response: Response<B>) -> Self {
        Self::response(response)
    }
}

/// Returns whether a response says nothing but its error status. A `StatusCode` inside of axum's
/// other responses, such as a `Result`, becomes such a response.
fn is_bare_error(response: &Response<impl Body>) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response.headers().is_empty()
        // A panic in it must not meet one in the `Drop` of the body.
        && catch_or(None, || response.body().size_hint().exact()) == Some(0)
}

/// The replies without the feature `axum`. Each of them is `IntoResponse` as well, so that the
/// feature takes none away.
#[cfg(not(feature = "axum"))]
mod sealed {
    use bytes::Bytes;
    use http::{Response, StatusCode};
    use http_body::Body;

    use super::{IntoReply, Reply};
    use crate::{
        error::{BoxError, Error},
        exception::{Exception, HttpException, WebSocketException},
    };

    pub trait Sealed {}

    macro_rules! replies {
        ($($Reply:ty),*) => {$(
            impl Sealed for $Reply {}

            impl IntoReply for $Reply {
                fn into_reply(self) -> Reply {
                    self.into()
                }
            }
        )*};
    }

    replies!(
        Reply,
        Exception,
        HttpException,
        WebSocketException,
        StatusCode,
        Error
    );

    impl Sealed for () {}
    impl<B> Sealed for Response<B> {}
    impl<T: IntoReply, E: IntoReply> Sealed for Result<T, E> {}

    impl IntoReply for () {
        fn into_reply(self) -> Reply {
            Reply::decline()
        }
    }

    impl<B> IntoReply for Response<B>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        fn into_reply(self) -> Reply {
            self.into()
        }
    }

    impl<T: IntoReply, E: IntoReply> IntoReply for Result<T, E> {
        fn into_reply(self) -> Reply {
            match self {
                Ok(reply) => reply.into_reply(),
                Err(reply) => reply.into_reply(),
            }
        }
    }
}

/// The replies with the feature `axum`. `IntoResponse` is a supertrait, so that generic code
/// written without the feature (`Result<T, E>` is a reply if both are) compiles with it.
#[cfg(feature = "axum")]
mod sealed {
    use axum_core::response::IntoResponse;
    use http::StatusCode;

    use super::{Declined, IntoReply, Reply, ReplyBody, ReplyKind};
    use crate::{
        error::cast,
        exception::{HttpException, WebSocketException},
        handler::response_type::{Says, said_by},
    };

    pub trait Sealed: IntoResponse {}

    impl<T: IntoResponse> Sealed for T {}

    #[diagnostic::do_not_recommend]
    impl<T: IntoResponse + 'static> IntoReply for T {
        fn into_reply(self) -> Reply {
            let reply = match cast::<T, Reply>(self) {
                Ok(reply) => return reply,
                Err(reply) => reply,
            };
            // axum's response for a status has no body; a handler's status is an exception.
            let reply = match cast::<T, StatusCode>(reply) {
                Ok(status) => return status.into(),
                Err(reply) => reply,
            };
            let mut response = reply.into_response();
            let attached = response.extensions_mut();
            // A check spares most replies three searches.
            if !attached.is_empty() {
                if let Some(exception) = attached.remove::<HttpException>() {
                    return exception.into();
                }
                if let Some(exception) = attached.remove::<WebSocketException>() {
                    return exception.into();
                }
                if attached.remove::<Declined>().is_some() {
                    return Reply::decline();
                }
            }
            // A reply that says no status is a 200.
            if response.status() != StatusCode::OK {
                return response.into();
            }
            match said_by::<T>() {
                Says::Nothing => Reply::decline(),
                Says::Body => Reply(ReplyKind::Body(Box::new(response.map(ReplyBody::new)))),
                Says::Status => response.into(),
            }
        }
    }
}
