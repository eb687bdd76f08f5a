use std::{error::Error, fmt, panic::Location, sync::LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::{Detail, Shown, inner::Inner};
use crate::{BoxError, log};
#[cfg(feature = "websocket")]
use crate::{Exception, raise::Mark};

/// An exception that becomes an HTTP response: a status, a detail, headers.
///
/// It is one pointer wide, so that `Result<T, HttpException>` makes no handler's future larger. Give
/// it back as an error, from a handler or from any service below the
/// [`ExceptionLayer`](crate::ExceptionLayer), or [`raise`](Self::raise) it from where no `Result`
/// leads out.
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
/// Rendered as JSON, the last one is `404 {"detail":"Item not found"}`.
///
/// # Headers
///
/// They are appended to the response. Some are not an exception's to set, because the server does:
/// those that frame the message (`content-length`, `transfer-encoding`, `trailer`) or belong to the
/// connection (`connection`, `keep-alive`, `proxy-connection`, `te`, and `upgrade` but with status
/// 426) are left out, with a warning under the feature `tracing`. A `content-type` takes the place
/// of the renderer's.
///
/// To a gRPC client they go out as [metadata](crate::docs::grpc#what-is-answered).
#[derive(Clone)]
pub struct HttpException(Box<Inner<Http>>);

#[derive(Clone)]
struct Http {
    status: StatusCode,
    detail: Detail,
    /// `None` while there are none: an empty map is a dozen words to write and to move.
    headers: Option<HeaderMap>,
}

impl HttpException {
    /// An exception with this status, and nothing else.
    ///
    /// An informational status (1xx) is not an answer: the client is given a plain 500 in its place,
    /// and under the feature `tracing` an error is logged.
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// let teapot = HttpException::new(StatusCode::IM_A_TEAPOT);
    /// assert_eq!(teapot.to_string(), "418: I'm a teapot");
    /// ```
    #[track_caller]
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self(Box::new(Inner::new(Http {
            status,
            detail: Detail::Canonical,
            headers: None,
        })))
    }

    /// Sets what the client is told.
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// let gone = HttpException::new(StatusCode::GONE).with_detail("sold out");
    /// assert_eq!(gone.to_string(), "410: sold out");
    /// ```
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Detail>) -> Self {
        self.0.says.detail = detail.into();
        self
    }

    /// Sets what the client is told to `value` as JSON. A struct's fields keep their order.
    ///
    /// # Errors
    ///
    /// Those of [`Detail::json`].
    ///
    /// ```
    /// # fn main() -> Result<(), serde_json::Error> {
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// #[derive(serde::Serialize)]
    /// struct Shortage { wanted: u32, left: u32 }
    ///
    /// let conflict = HttpException::new(StatusCode::CONFLICT)
    ///     .with_json(&Shortage { wanted: 3, left: 1 })?;
    /// assert_eq!(conflict.to_string(), r#"409: {"wanted":3,"left":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_json(self, value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        Ok(self.with_detail(Detail::json(value)?))
    }

    /// Appends a header. The same name twice is two header lines.
    ///
    /// A [`HeaderMap`] holds 24,576 headers; what goes beyond is left out, with a warning under the
    /// feature `tracing`.
    ///
    /// ```
    /// # use http::header::{HeaderValue, WWW_AUTHENTICATE};
    /// # use tower_exception::HttpException;
    /// let unauthorized = HttpException::unauthorized("Not authenticated")
    ///     .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    ///     .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    /// assert_eq!(unauthorized.headers().len(), 2);
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if self.headers_mut().try_append(&name, value).is_err() {
            log::header_dropped(&name, "there are too many");
        }
        self
    }

    /// Appends a header given as text or bytes.
    ///
    /// # Errors
    ///
    /// Where `name` is no header name, or `value` holds what a header's value must not: line breaks
    /// and other control characters, and in a `&str` anything outside ASCII (give bytes for Latin-1).
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::bad_request("no").try_with_header("x-hint", "try again");
    /// assert!(exception.is_ok());
    ///
    /// let error = HttpException::bad_request("no").try_with_header("x hint", "try again");
    /// assert_eq!(error.unwrap_err().to_string(), "invalid HTTP header name");
    /// ```
    pub fn try_with_header<N, V>(mut self, name: N, value: V) -> Result<Self, http::Error>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let name = name.try_into().map_err(Into::into)?;
        let value = value.try_into().map_err(Into::into)?;
        self.headers_mut().try_append(name, value)?;
        Ok(self)
    }

    /// Keeps `source` with the exception, for logs, observers and handlers. The client never sees it.
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = "many".parse::<u32>().map_err(|error| {
    ///     HttpException::bad_request("not a number").with_source(error)
    /// });
    /// let exception = exception.unwrap_err();
    /// assert_eq!(exception.origin().unwrap().to_string(), "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.set_source(source);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.says.status
    }

    /// What the client is told.
    pub fn detail(&self) -> &Detail {
        &self.0.says.detail
    }

    /// The detail as the client is shown it: where there is none, the status's canonical reason. It can be
    /// displayed and serialised.
    ///
    /// ```
    /// # use http::StatusCode;
    /// # use tower_exception::HttpException;
    /// use serde_json::json;
    ///
    /// let exception = HttpException::new(StatusCode::GONE);
    /// let body = json!({ "error": exception.shown_detail() });
    /// assert_eq!(body.to_string(), r#"{"error":"Gone"}"#);
    /// ```
    pub fn shown_detail(&self) -> impl fmt::Display + Serialize + Copy {
        self.shown()
    }

    /// The headers that are appended to the response.
    pub fn headers(&self) -> &HeaderMap {
        static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
        self.0.says.headers.as_ref().unwrap_or_else(|| &NONE)
    }

    /// The headers that are appended to the response, to be changed.
    ///
    /// ```
    /// # use http::header::{HeaderValue, CACHE_CONTROL};
    /// # use tower_exception::HttpException;
    /// let mut exception = HttpException::not_found("not yet");
    /// exception.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    /// ```
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.0.says.headers.get_or_insert_default()
    }

    /// What [`with_source`](Self::with_source) was given.
    ///
    /// It is the second in the chain of sources: [`Error::source`] gives a note of where the exception was
    /// made, and the note's source is this.
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Where in the code the exception was made.
    ///
    /// ```
    /// # use tower_exception::HttpException;
    /// let exception = HttpException::not_found("no such item");
    /// assert_eq!(exception.location().file(), file!());
    /// ```
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    pub(crate) fn headers_if_any(&self) -> Option<&HeaderMap> {
        self.0.says.headers.as_ref()
    }

    /// The headers, which the exception then is without.
    pub(crate) fn take_headers(&mut self) -> Option<HeaderMap> {
        self.0.says.headers.take()
    }

    pub(crate) fn shown(&self) -> Shown<'_> {
        self.0.says.detail.shown(self.0.says.status)
    }
}

/// Defines a constructor a row: the status, with a detail.
macro_rules! shorthands {
    ($($name:ident = $status:ident, $code:literal;)*) => {
        /// Shorthands for the statuses that are used daily. Each takes what
        /// [`with_detail`](HttpException::with_detail) takes.
        impl HttpException {
            $(
                #[doc = concat!(
                    "A ", $code, " with this detail.\n\n",
                    "```\n",
                    "# use tower_exception::HttpException;\n",
                    "let exception = HttpException::", stringify!($name), "(\"because\");\n",
                    "assert_eq!(exception.to_string(), \"", $code, ": because\");\n",
                    "```"
                )]
                #[track_caller]
                #[must_use]
                pub fn $name(detail: impl Into<Detail>) -> Self {
                    Self::new(StatusCode::$status).with_detail(detail)
                }
            )*
        }
    };
}

shorthands! {
    bad_request = BAD_REQUEST, "400";
    unauthorized = UNAUTHORIZED, "401";
    payment_required = PAYMENT_REQUIRED, "402";
    forbidden = FORBIDDEN, "403";
    not_found = NOT_FOUND, "404";
    method_not_allowed = METHOD_NOT_ALLOWED, "405";
    not_acceptable = NOT_ACCEPTABLE, "406";
    request_timeout = REQUEST_TIMEOUT, "408";
    conflict = CONFLICT, "409";
    gone = GONE, "410";
    precondition_failed = PRECONDITION_FAILED, "412";
    payload_too_large = PAYLOAD_TOO_LARGE, "413";
    unsupported_media_type = UNSUPPORTED_MEDIA_TYPE, "415";
    unprocessable_entity = UNPROCESSABLE_ENTITY, "422";
    too_many_requests = TOO_MANY_REQUESTS, "429";
    internal_server_error = INTERNAL_SERVER_ERROR, "500";
    not_implemented = NOT_IMPLEMENTED, "501";
    bad_gateway = BAD_GATEWAY, "502";
    service_unavailable = SERVICE_UNAVAILABLE, "503";
    gateway_timeout = GATEWAY_TIMEOUT, "504";
}

impl From<StatusCode> for HttpException {
    #[track_caller]
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl<D: Into<Detail>> From<(StatusCode, D)> for HttpException {
    #[track_caller]
    fn from((status, detail): (StatusCode, D)) -> Self {
        Self::new(status).with_detail(detail)
    }
}

/// The status and the detail: `404: Item not found`.
impl fmt::Display for HttpException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.says.status.as_str())?;
        match self.shown() {
            Shown::Text("") => Ok(()),
            detail => write!(f, ": {detail}"),
        }
    }
}

impl fmt::Debug for HttpException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpException")
            .field("status", &self.0.says.status)
            .field("detail", &self.0.says.detail)
            .field("headers", self.headers())
            .field("source", &self.0.source)
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

/// Its source is not at once the one that it was given, but a note of where it was made, whose source is that one.
impl Error for HttpException {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl HttpException {
    /// The same, to be known while it unwinds.
    #[cfg(feature = "websocket")]
    pub(crate) fn marked(mut self) -> Self {
        self.0.mark = Mark::of(|| Exception::Http(self.clone()));
        self
    }

    /// The same, once it is caught.
    #[cfg(feature = "websocket")]
    pub(crate) fn unmarked(mut self) -> Self {
        self.0.mark = Mark::default();
        self
    }

    /// The exception that `error` is, or is the note of.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(exception) = error.downcast_ref::<Self>() {
            return Some(exception.clone());
        }
        let inner: &Inner<Http> = error.downcast_ref()?;
        Some(Self(Box::new(inner.clone())))
    }

    pub(super) fn is(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.is::<Inner<Http>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pointer_wide() {
        assert_eq!(size_of::<HttpException>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), HttpException>>(), size_of::<usize>());
    }

    #[test]
    fn shown_as_status_and_detail() {
        let unnamed = StatusCode::from_u16(599).unwrap();
        assert_eq!(HttpException::new(unnamed).to_string(), "599");
        let from_status: HttpException = StatusCode::GONE.into();
        assert_eq!(from_status.to_string(), "410: Gone");
        let from_pair: HttpException = (StatusCode::GONE, "sold out").into();
        assert_eq!(from_pair.to_string(), "410: sold out");
    }

    #[test]
    fn location_is_where_it_was_made_also_through_conversions() {
        fn question_mark() -> Result<(), HttpException> {
            Err(StatusCode::GONE)?
        }
        let here = line!();
        let made = [
            HttpException::new(StatusCode::GONE).location(),
            HttpException::gone("sold out").location(),
            HttpException::from((StatusCode::GONE, "sold out")).location(),
            Into::<HttpException>::into(StatusCode::GONE).location(),
        ];
        for (location, line) in made.into_iter().zip(here + 2..) {
            assert_eq!((location.file(), location.line()), (file!(), line));
        }
        assert_eq!(question_mark().unwrap_err().location().file(), file!());
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_an_error() {
        let with = |name: &str, value: &[u8]| {
            HttpException::bad_request("no")
                .try_with_header(name, value)
                .map(|exception| exception.headers().clone())
                .map_err(|error| error.to_string())
        };
        assert_eq!(with("x-latin", b"caf\xe9").unwrap().len(), 1);
        assert_eq!(with("", b"v").unwrap_err(), "invalid HTTP header name");
        assert_eq!(with("a:b", b"v").unwrap_err(), "invalid HTTP header name");
        assert_eq!(
            with("a", b"v\r\nset-cookie: x").unwrap_err(),
            "failed to parse header value"
        );
    }

    #[test]
    fn headers_beyond_what_a_map_holds_are_left_out() {
        let value = HeaderValue::from_static("v");
        let mut exception = HttpException::bad_request("no");
        for i in 0..40_000 {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            exception = exception.with_header(name, value.clone());
        }
        assert_eq!(exception.headers().len(), 24_576);
        let error = exception.try_with_header("one-more", "v").unwrap_err();
        assert_eq!(error.to_string(), "max size reached");
    }
}
