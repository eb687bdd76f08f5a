use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

use crate::{BoxError, Exception, HttpException};

/// What a handler replied.
pub struct Reply(pub(crate) ReplyKind);

pub(crate) enum ReplyKind {
    /// For the layer to render.
    Exception(Exception),
    /// As it is.
    Response(Response<UnsyncBoxBody<Bytes, BoxError>>),
}

/// What a handler may return.
///
/// An exception ([`HttpException`](crate::HttpException),
/// [`WebSocketException`](crate::WebSocketException), [`Exception`]) or a
/// [`StatusCode`](http::StatusCode) is for the layer to render; an [`http::Response`] with any body of
/// [`Bytes`] goes out as it is; a `Result` of two of these is whichever it holds. With the feature
/// `axum` also whatever is `IntoResponse`.
///
/// A response with an error status, no header and no body says no more than that status, and counts as it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reply to an exception",
    label = "a handler returned this",
    note = "a handler returns an exception, a `StatusCode`, or an `http::Response` with a body of `Bytes`",
    note = "with the feature `axum` also anything that is `IntoResponse`"
)]
pub trait IntoReply {
    /// Makes the reply.
    fn into_reply(self) -> Reply;
}

impl Reply {
    pub(crate) fn exception(exception: impl Into<Exception>) -> Self {
        Self(ReplyKind::Exception(exception.into()))
    }

    pub(crate) fn response<B>(response: Response<B>) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        // Of `Status::into_http`. Who does not speak gRPC could not read it.
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
}

/// Whether a response says nothing but its error status. That is all that is left of a `StatusCode` inside
/// axum's other responses, such as a `Result`.
fn is_bare_error(response: &Response<impl Body>) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response.headers().is_empty()
        && response.body().size_hint().exact() == Some(0)
}

/// Everything that is a reply by itself.
#[cfg(not(feature = "axum"))]
mod replies {
    use http::StatusCode;

    use super::*;
    use crate::WebSocketException;

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

/// All of these are `IntoResponse` too, and mean the same as they do without the feature.
#[cfg(feature = "axum")]
mod replies {
    use std::any::Any;

    use axum_core::response::IntoResponse;
    use http::StatusCode;

    use super::*;
    use crate::WebSocketException;

    impl<T: IntoResponse + 'static> IntoReply for T {
        fn into_reply(self) -> Reply {
            // axum's own response to a status has no body; to us it is an exception.
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
