//! Exceptions, errors and query parsing that every stack uses.

use std::{collections::BTreeMap, error::Error, fmt, io, panic::panic_any};

use http::{
    StatusCode, Uri,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tower_exception::{Exception, HttpException};

/// Way in which a route fails: the `via` of its query.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    #[default]
    Returned,
    Attached,
    Raised,
    Panicked,
    RaisedAsync,
}

impl Via {
    pub fn of(uri: &Uri) -> Result<Self, HttpException> {
        #[derive(Deserialize)]
        struct Query {
            #[serde(default)]
            via: Via,
        }
        query(uri).map(|query: Query| query.via)
    }

    /// Raises `exception`, or returns it for the caller to return or to attach to a response.
    pub async fn raise_or_return(self, exception: impl Into<Exception>) -> Exception {
        let exception = exception.into();
        match self {
            Self::Returned | Self::Attached => exception,
            Self::Raised => exception.raise(),
            Self::Panicked => panic_any(exception),
            Self::RaisedAsync => exception.raise_async().await,
        }
    }
}

/// Parses the query of `uri`.
///
/// # Errors
///
/// Returns a 422 if the query does not fit `T`.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, HttpException> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default())
        .map_err(|error| unprocessable("query", error))
}

/// The body of `POST /raise`.
#[derive(Deserialize)]
struct Wanted {
    status_code: u16,
    /// JSON as in the request, byte for byte: a number may not fit any Rust type.
    detail: Option<Box<RawValue>>,
    headers: Option<BTreeMap<String, String>>,
}

/// Returns the exception that the body of `POST /raise` describes, or a 422 if it describes none.
pub fn wanted(body: &[u8]) -> HttpException {
    build(body).unwrap_or_else(|problem| problem)
}

fn build(body: &[u8]) -> Result<HttpException, HttpException> {
    let wanted: Wanted =
        serde_json::from_slice(body).map_err(|error| unprocessable("body", error))?;
    let status = StatusCode::from_u16(wanted.status_code)
        .map_err(|error| unprocessable("status_code", error))?;
    let mut exception = HttpException::new(status);
    if let Some(detail) = wanted.detail {
        exception = exception.with_detail(detail);
    }
    for (name, text) in wanted.headers.unwrap_or_default() {
        exception = exception
            .try_with_header(&*name, latin_1(&name, &text)?)
            .map_err(|error| unprocessable(&format!("headers: {name}"), error))?;
    }
    Ok(exception)
}

fn latin_1(name: &str, text: &str) -> Result<Vec<u8>, HttpException> {
    text.chars()
        .map(u8::try_from)
        .collect::<Result<_, _>>()
        .map_err(|error| unprocessable(&format!("headers: {name}: not Latin-1"), error))
}

/// Returns a 422 for the part of the request that is named `part`.
pub fn unprocessable(part: &str, error: impl Error + Send + Sync + 'static) -> HttpException {
    HttpException::unprocessable_entity(format!("{part}: {error}")).with_source(error)
}

/// Returns an error that is not an exception, and whose message the client must not see.
pub fn secret() -> io::Error {
    io::Error::other("cannot reach postgres://admin:hunter2@10.0.0.7")
}

#[derive(Debug)]
pub struct Base(&'static str);

/// Counterpart of a derived class: an error with a `Base` as its source.
#[derive(Debug)]
pub struct Derived(Base);

pub fn base() -> Base {
    Base("base")
}

pub fn derived() -> Derived {
    Derived(Base("derived"))
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Base {}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "derived from {}", self.0)
    }
}

impl Error for Derived {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Authenticated user. No value exists, because authentication always fails here.
pub enum User {}

pub fn authenticate() -> Result<User, HttpException> {
    Err(HttpException::unauthorized("Not authenticated")
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
}
