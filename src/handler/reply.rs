//! A handler's reply.

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

use crate::{
    error::BoxError,
    exception::{Exception, HttpException},
    unwind::catch_or,
};

/// Reply of a handler.
#[must_use = "a handler returns it to the layer"]
pub struct Reply(ReplyKind);

pub(crate) enum ReplyKind {
    /// An exception, for the layer to render.
    Exception(Exception),
    /// A response, to be sent as it is.
    Response(Response<UnsyncBoxBody<Bytes, BoxError>>),
}

/// Type that a handler may return.
///
/// - The layer renders an exception ([`HttpException`](crate::HttpException),
///   [`WebSocketException`](crate::WebSocketException), [`Exception`]) and a
///   [`StatusCode`](http::StatusCode).
/// - An [`http::Response`] with any body of [`Bytes`] is sent as it is. If it has an error status,
///   no header and no body, it says no more than that status, and is rendered as the status.
/// - A `Result` of two of these is the one that it holds.
/// - With the feature `axum`, everything that is `IntoResponse` is a reply.
///
/// The trait is sealed: a type of your own is a reply if it is `IntoResponse`, or if the handler
/// converts it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reply to a failure",
    label = "a handler returned this",
    note = "a handler returns an exception, a `StatusCode`, or an `http::Response` with a body of `Bytes`",
    note = "with the feature `axum` of `tower-exception` also anything that is `IntoResponse`"
)]
pub trait IntoReply: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn into_reply(self) -> Reply;
}

impl Reply {
    fn exception(exception: impl Into<Exception>) -> Self {
        Self(ReplyKind::Exception(exception.into()))
    }

    fn response<B>(response: Response<B>) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        // `Status::into_http` leaves the status here. A client that does not speak gRPC could not
        // read it.
        #[cfg(feature = "tonic")]
        if let Some(status) = response.extensions().get::<tonic::Status>() {
            return Self::exception(HttpException::from(status.clone()));
        }
        if is_bare_error(&response) {
            return Self::exception(HttpException::new(response.status()));
        }
        let response = response.map(|body| body.map_err(Into::into).boxed_unsync());
        Self(ReplyKind::Response(response))
    }

    pub(crate) fn into_kind(self) -> ReplyKind {
        self.0
    }
}

impl From<Exception> for Reply {
    fn from(exception: Exception) -> Self {
        Self::exception(exception)
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
        error::BoxError,
        exception::{Exception, HttpException, WebSocketException},
    };

    pub trait Sealed {}

    impl Sealed for Exception {}
    impl Sealed for HttpException {}
    impl Sealed for WebSocketException {}
    impl Sealed for StatusCode {}
    impl<B> Sealed for Response<B> {}
    impl<T: IntoReply, E: IntoReply> Sealed for Result<T, E> {}

    impl IntoReply for Exception {
        fn into_reply(self) -> Reply {
            Reply::exception(self)
        }
    }

    impl IntoReply for HttpException {
        fn into_reply(self) -> Reply {
            Reply::exception(self)
        }
    }

    impl IntoReply for WebSocketException {
        fn into_reply(self) -> Reply {
            Reply::exception(self)
        }
    }

    impl IntoReply for StatusCode {
        fn into_reply(self) -> Reply {
            Reply::exception(HttpException::new(self))
        }
    }

    impl<B> IntoReply for Response<B>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        fn into_reply(self) -> Reply {
            Reply::response(self)
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
    use std::any::Any;

    use axum_core::response::IntoResponse;
    use http::StatusCode;

    use super::{IntoReply, Reply};
    use crate::exception::{HttpException, WebSocketException};

    pub trait Sealed: IntoResponse {}

    impl<T: IntoResponse> Sealed for T {}

    #[diagnostic::do_not_recommend]
    impl<T: IntoResponse + 'static> IntoReply for T {
        fn into_reply(self) -> Reply {
            // axum's response for a status has no body; a handler's status is an exception.
            if let Some(status) = (&self as &dyn Any).downcast_ref::<StatusCode>() {
                return Reply::exception(HttpException::new(*status));
            }
            let mut response = self.into_response();
            let attached = response.extensions_mut();
            if let Some(exception) = attached.remove::<HttpException>() {
                return Reply::exception(exception);
            }
            if let Some(exception) = attached.remove::<WebSocketException>() {
                return Reply::exception(exception);
            }
            Reply::response(response)
        }
    }
}
