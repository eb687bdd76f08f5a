//! Any error on its way to the layer.

use std::{any::type_name, error::Error as StdError, fmt, ops::Deref, panic::Location, sync::Arc};

use super::{BoxError, LocatedError, cast, chain, located::ErrorValue, report};

/// Any error on its way to the layer, for handlers that use `?` on anything.
///
/// Every error converts into it by `?`: those of the standard library, of other crates and of your
/// own, [`HttpException`](crate::HttpException)s, boxed errors, and the reports of anyhow and eyre.
/// It keeps the error whole and remembers the line of the `?`.
///
/// The layer handles it as the error that it was made of. A handler for that type
/// ([`ExceptionLayer::on`](crate::ExceptionLayer::on)) replies. An exception is rendered. Without a
/// handler an unknown error is `500 {"detail":"Internal Server Error"}`, and nothing of it reaches
/// the client. The log has its text, its sources, its type and the line.
///
/// With the feature `axum` it is an `IntoResponse`, with the feature `tonic` it converts into a
/// `Status`. It is the error type of a [`WebSocketHandle::catch`][catch] callback. A
/// `tower::Service` may have it as its error type. Without a layer the client receives the response
/// of an exception, and the plain 500 of any other error.
///
/// It is one pointer wide. It does not implement [`std::error::Error`], because it converts from
/// everything that does. [`into_boxed`](Self::into_boxed) makes one of it.
///
/// # Examples
///
/// ```
/// use tower_exception::{Error, HttpException, Result};
///
/// fn price(file: &str) -> Result<u32> {
///     let text = std::fs::read_to_string(file)?; // an `io::Error`
///     let price = text.trim().parse()?; // a `ParseIntError`
///     if price == 0 {
///         return Err(HttpException::not_found("sold out").into());
///     }
///     Ok(price)
/// }
///
/// let error: Error = price("/no/such/file").unwrap_err();
/// assert!(error.is::<std::io::Error>());
/// assert_eq!(error.location().file(), file!());
/// ```
///
/// An axum handler, with the feature `axum`:
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, routing::get};
/// use tower_exception::{Caught, ExceptionLayer, HttpException, Result};
///
/// async fn motd() -> Result<String> {
///     Ok(tokio::fs::read_to_string("/etc/motd").await?)
/// }
///
/// let app: Router = Router::new().route("/motd", get(motd)).layer(
///     ExceptionLayer::new().on(|error: Caught<std::io::Error>| match error.kind() {
///         std::io::ErrorKind::NotFound => HttpException::not_found("no such file"),
///         _ => HttpException::bad_gateway("the disk does not respond"),
///     }),
/// );
/// ```
///
#[doc = include_str!("../docs/messages.md")]
///
#[cfg_attr(feature = "websocket", doc = "[catch]: crate::WebSocketHandle::catch")]
#[cfg_attr(
    not(feature = "websocket"),
    doc = "[catch]: https://docs.rs/tower-exception/latest/tower_exception/struct.WebSocketHandle.html#method.catch"
)]
#[must_use = "an error does nothing unless it is returned or raised"]
pub struct Error(Arc<LocatedError>);

/// Result whose error is any error by default.
///
/// ```
/// fn double(number: &str) -> tower_exception::Result<u32> {
///     Ok(2 * number.parse::<u32>()?)
/// }
/// # assert_eq!(double("4").unwrap(), 8);
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl<E: Into<BoxError> + 'static> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::at(error, Location::caller())
    }
}

impl Error {
    pub(crate) fn at<E>(error: E, location: &'static Location<'static>) -> Self
    where
        E: Into<BoxError> + 'static,
    {
        let error = match cast::<E, BoxError>(error) {
            // It may be an `Error` that was boxed.
            Ok(error) => match error.downcast::<BoxedError>() {
                Ok(boxed) => return boxed.0,
                Err(error) => LocatedError {
                    value: ErrorValue::Other(error),
                    location,
                    type_name: None,
                },
            },
            Err(error) => LocatedError {
                value: ErrorValue::new(error),
                location,
                type_name: Some(type_name::<E>()),
            },
        };
        Self(Arc::new(error))
    }

    /// Returns the place in the code at which the error was converted: the line of the `?`, of
    /// `into()`, or of the helper that has made it.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// Returns whether the error is an `E`. Sources are not searched.
    ///
    /// A `Box<E>` and an `Arc<E>` count as the error that they hold. A report of anyhow or eyre
    /// counts as each error that its own `downcast_ref` finds.
    pub fn is<E: StdError + Send + Sync + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// Returns the error as an `E`, if it [is](Self::is) one.
    pub fn downcast_ref<E: StdError + Send + Sync + 'static>(&self) -> Option<&E> {
        chain::downcast_ref(&**self)
    }

    /// Returns the error as an `E`, by value.
    ///
    /// # Errors
    ///
    /// Returns the error itself if it is not an `E`. An `E` in an `Arc` cannot be moved out.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_exception::{Error, HttpException};
    ///
    /// let error = Error::from(HttpException::not_found("Item not found"));
    /// match error.downcast::<HttpException>() {
    ///     Ok(exception) => assert_eq!(exception.status(), 404),
    ///     Err(other) => panic!("{other}"),
    /// }
    /// ```
    pub fn downcast<E: StdError + Send + Sync + 'static>(self) -> Result<E> {
        self.try_take(|error| match error.downcast::<Box<E>>() {
            Ok(error) => Ok(**error),
            Err(error) => report::take(error),
        })
    }

    /// Converts the error into a boxed one, for code that requires a `std::error::Error`: the error
    /// of a stream, of a `tower` service or of a library's callback.
    ///
    /// The layer handles it as it handles the `Error`, and knows the location. The converted error
    /// is the [source](StdError::source) of the returned one. The text of both is the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tower_exception::Error;
    ///
    /// fn chunk(line: &str) -> tower_exception::Result<Bytes> {
    ///     Ok(Bytes::from(vec![line.parse()?]))
    /// }
    ///
    /// // The stream of a body requires `Into<Box<dyn std::error::Error + Send + Sync>>`.
    /// let chunks = ["1", "2", "x"].into_iter().map(|line| chunk(line).map_err(Error::into_boxed));
    /// assert_eq!(chunks.last().unwrap().unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    pub fn into_boxed(self) -> Box<dyn StdError + Send + Sync> {
        Box::new(BoxedError(self))
    }

    pub(crate) fn from_located(located: LocatedError) -> Self {
        Self(Arc::new(located))
    }

    /// Returns what `take` makes of the error, which it returns otherwise.
    ///
    /// # Errors
    ///
    /// The error itself, if `take` returns it or if a failure shares it.
    pub(crate) fn try_take<T>(
        self,
        take: impl FnOnce(BoxError) -> std::result::Result<T, BoxError>,
    ) -> Result<T> {
        let located = self.into_located()?;
        take(located.value.into_boxed()).map_err(|error| {
            let value = ErrorValue::Other(error);
            Self::from_located(LocatedError { value, ..located })
        })
    }

    /// Takes the error out.
    ///
    /// # Errors
    ///
    /// The error itself, if a failure shares it.
    pub(crate) fn into_located(self) -> Result<LocatedError> {
        Arc::try_unwrap(self.0).map_err(Self)
    }

    pub(crate) fn type_name(&self) -> Option<&'static str> {
        self.0.type_name
    }

    #[cfg(feature = "tonic")]
    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(crate) fn into_shared(self) -> Arc<LocatedError> {
        self.0
    }
}

/// The error itself, with its sources and its text.
impl Deref for Error {
    type Target = dyn StdError + Send + Sync;

    fn deref(&self) -> &Self::Target {
        self.0.value.as_error()
    }
}

/// Writes the text of the error; with `{:#}` also those of its sources.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)?;
        if f.alternate() {
            for source in chain::sources(&**self).skip(1) {
                write!(f, ": {source}")?;
            }
        }
        Ok(())
    }
}

/// Shows the text of the error, and neither its fields nor its sources: those may be secrets.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("error", &format_args!("{:?}", self.to_string()))
            .field(
                "type",
                &self
                    .0
                    .type_name
                    .map(|name| format_args!("{name}").to_string()),
            )
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

/// An [`Error`] in a place that requires a `std::error::Error`.
pub(crate) struct BoxedError(pub(crate) Error);

impl BoxedError {
    /// Returns the error again, which is shared then.
    #[cfg(feature = "tonic")]
    pub(crate) fn share(&self) -> Error {
        self.0.share()
    }
}

impl fmt::Debug for BoxedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for BoxedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for BoxedError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}
