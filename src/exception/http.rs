//! Exception that becomes an HTTP response.

use std::{error::Error, fmt, panic::Location};

use http::{HeaderMap, StatusCode};

#[cfg(feature = "websocket")]
use super::repr::UnwindToken;
use super::{detail::Detail, repr::ExceptionImpl, supplement::Supplement};
use crate::{error::BoxError, headers::HeaderNames};

/// Exception that becomes an HTTP response: a status, a detail, headers.
///
/// It is one pointer wide, so that `Result<T, HttpException>` does not enlarge the future of a
/// handler. Return it as an error, from a handler or from any service below the
/// [`ExceptionLayer`](crate::ExceptionLayer). Code that cannot return a `Result` can
/// [`raise`](Self::raise) it.
///
/// An axum handler that returns `Result<_, HttpException>` needs the feature `axum` of this crate.
/// Without it, the compiler says "the trait bound `fn(..) -> .. {item}: Handler<_, _>` is not
/// satisfied". It cannot name the feature, because the trait is axum's.
///
/// # Examples
///
/// ```
/// use http::header::{HeaderValue, RETRY_AFTER};
/// use tower_exception::HttpException;
///
/// fn item(id: u32) -> Result<&'static str, HttpException> {
///     match id {
///         1 => Ok("plumbus"),
///         2 => Err(HttpException::service_unavailable("restocking")
///             .with_header(RETRY_AFTER, HeaderValue::from_static("120"))),
///         _ => Err(HttpException::not_found("Item not found")),
///     }
/// }
///
/// assert_eq!(item(3).unwrap_err().to_string(), "404: Item not found");
/// ```
///
/// Rendered as JSON, the last exception is `404 {"detail":"Item not found"}`.
///
/// In an axum handler, with the feature `axum`:
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```compile_fail,E0277")]
/// use axum::{Router, extract::Path, routing::get};
/// use tower_exception::{ExceptionLayer, HttpException};
///
/// async fn item(Path(id): Path<u32>) -> Result<&'static str, HttpException> {
///     match id {
///         1 => Ok("plumbus"),
///         _ => Err(HttpException::not_found("Item not found")),
///     }
/// }
///
/// let app: Router =
///     Router::new().route("/items/{id}", get(item)).layer(ExceptionLayer::new());
/// ```
///
/// # Headers
///
/// The headers are appended to the response. A `content-type` replaces the one of the renderer.
///
/// An exception cannot set the headers that the server sets: those that frame the message
/// (`content-length`, `transfer-encoding`, `trailer`) and those that belong to the connection
/// (`connection`, `keep-alive`, `proxy-connection`, `te`, and `upgrade` unless the status is 426).
/// They are dropped, with a warning if the feature `tracing` is on.
///
/// A gRPC client receives the headers as [metadata](crate::grpc).
///
/// # Additions to the detail
///
/// An exception may also have a [type](Self::with_type), a [title](Self::with_title), a
/// [code](Self::with_code), [members](Self::try_with_member), a
/// [time to wait](Self::with_retry_after) and a list of [faults of the request](Self::invalid).
#[derive(Clone)]
#[must_use = "an exception does nothing unless it is returned or raised"]
pub struct HttpException(pub(super) Box<ExceptionImpl<Http>>);

#[derive(Clone)]
pub(super) struct Http {
    pub(super) status: StatusCode,
    pub(super) detail: Detail,
    /// `None` while there are no headers: an empty map is a dozen words to write and to move.
    pub(super) headers: Option<HeaderMap>,
    /// `None` while nothing is said in addition to the detail.
    pub(super) supplement: Option<Box<Supplement>>,
    /// The source is the value that was converted to this exception, not an error behind it.
    #[cfg(feature = "tonic")]
    pub(super) is_converted: bool,
}

impl HttpException {
    /// Creates an exception with `status` and nothing else.
    ///
    /// An informational status (1xx) cannot end an exchange. The client receives a plain 500 in its
    /// place, and an error is logged if the feature `tracing` is on.
    ///
    /// A redirection (3xx) has no body unless the exception has a detail.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// let teapot = HttpException::new(StatusCode::IM_A_TEAPOT);
    /// assert_eq!(teapot.to_string(), "418: I'm a teapot");
    /// ```
    #[track_caller]
    pub fn new(status: StatusCode) -> Self {
        Self::new_at(status, Location::caller())
    }

    pub(crate) fn new_at(status: StatusCode, location: &'static Location<'static>) -> Self {
        let http = Http {
            status,
            detail: Detail::Canonical,
            headers: None,
            supplement: None,
            #[cfg(feature = "tonic")]
            is_converted: false,
        };
        Self(Box::new(ExceptionImpl::at(http, location)))
    }

    /// Sets the source of the exception, for logs, observers and handlers. The client never
    /// receives it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = "many".parse::<u32>().map_err(|error| {
    ///     HttpException::bad_request("not a number").with_source(error)
    /// });
    /// let exception = exception.unwrap_err();
    /// assert_eq!(exception.origin().unwrap().to_string(), "invalid digit found in string");
    /// ```
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.set_source(source);
        #[cfg(feature = "tonic")]
        {
            self.0.kind.is_converted = false;
        }
        self
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.0.kind.status
    }

    /// Returns the source that [`with_source`](Self::with_source) has set.
    ///
    /// This source is the second one in the chain of sources. [`Error::source`] returns a note of
    /// where the exception was created, and the source of the note is this one.
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Returns the place in the code where the exception was created.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::not_found("no such item");
    /// assert_eq!(exception.location().file(), file!());
    /// ```
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// Returns the exception that `error` itself is, or is the note of.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let contents = ExceptionImpl::of::<Self>(error)?;
        Some(Self(Box::new(contents.clone())))
    }

    /// Returns whether `error` itself is an exception, or the note of one.
    pub(super) fn is(error: &(dyn Error + 'static)) -> bool {
        ExceptionImpl::<Http>::of::<Self>(error).is_some()
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn set_unwind_token(&mut self, token: UnwindToken) {
        self.0.unwind_token = token;
    }
}

/// Writes the status and the detail: `404: Item not found`. Faults are written one after another.
impl fmt::Display for HttpException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.status.as_str())?;
        match &*self.message() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

/// Shows of the headers and the members the names only, and of the source only that there is one.
impl fmt::Debug for HttpException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("HttpException");
        shown
            .field("status", &self.0.kind.status)
            .field("detail", &self.0.kind.detail);
        if let Some(supplement) = self.supplement() {
            supplement.debug_fields(&mut shown);
        }
        shown
            .field("headers", &HeaderNames(self.headers()))
            .field("source", &self.0.debug_source())
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

/// Has as its source a note of where the exception was created. The source of the note is the one
/// that [`with_source`](HttpException::with_source) has set.
impl Error for HttpException {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<HttpException>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), HttpException>>(), size_of::<usize>());
    }

    #[test]
    fn displays_the_status_and_the_detail() {
        let unnamed = StatusCode::from_u16(599).unwrap();
        assert_eq!(HttpException::new(unnamed).to_string(), "599");
        let from_status: HttpException = StatusCode::GONE.into();
        assert_eq!(from_status.to_string(), "410: Gone");
        let from_pair: HttpException = (StatusCode::GONE, "sold out").into();
        assert_eq!(from_pair.to_string(), "410: sold out");
    }

    #[test]
    fn location_is_the_line_of_the_caller_also_through_conversions() {
        fn question_mark() -> Result<(), HttpException> {
            Err(StatusCode::GONE)?
        }
        let here = line!();
        let created = [
            HttpException::new(StatusCode::GONE).location(),
            HttpException::gone("sold out").location(),
            HttpException::from((StatusCode::GONE, "sold out")).location(),
            Into::<HttpException>::into(StatusCode::GONE).location(),
        ];
        for (location, line) in created.into_iter().zip(here + 2..) {
            assert_eq!((location.file(), location.line()), (file!(), line));
        }
        assert_eq!(question_mark().unwrap_err().location().file(), file!());
    }
}
