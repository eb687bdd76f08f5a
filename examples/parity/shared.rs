//! What is the same in every stack.

use std::{collections::BTreeMap, error::Error, fmt, io, panic::panic_any};

use http::{
    StatusCode, Uri,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tower_exception::{Exception, HttpException};

/// How a route throws its exception: its query's `via`.
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

    /// Throws `exception`, or gives it back to be returned. To attach it is for whoever makes the response.
    pub async fn throw(self, exception: impl Into<Exception>) -> Exception {
        let exception = exception.into();
        match self {
            Self::Returned | Self::Attached => exception,
            Self::Raised => exception.raise(),
            Self::Panicked => panic_any(exception),
            Self::RaisedAsync => exception.raise_async().await,
        }
    }
}

/// What a query says.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, HttpException> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default())
        .map_err(|error| unprocessable("query", error))
}

/// The body of `POST /raise`.
#[derive(Deserialize)]
struct Wanted {
    status_code: u16,
    /// As it stands in the request, to the byte: a number may not fit any Rust type.
    detail: Option<Box<RawValue>>,
    headers: Option<BTreeMap<String, String>>,
}

/// The exception that the body of `POST /raise` asks for, or the one that says what is wrong with it.
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

pub fn unprocessable(place: &str, error: impl Error + Send + Sync + 'static) -> HttpException {
    HttpException::unprocessable_entity(format!("{place}: {error}")).with_source(error)
}

/// An error that is no exception, and whose message is not the client's business.
pub fn secret() -> io::Error {
    io::Error::other("cannot reach postgres://admin:hunter2@10.0.0.7")
}

#[derive(Debug)]
pub struct Base(&'static str);

/// A `Derived` is a `Base` as far as Rust goes: it has one as its source.
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

/// Who is asking. Nobody can show who they are here, so that there is no such value.
pub enum User {}

pub fn authenticate() -> Result<User, HttpException> {
    Err(HttpException::unauthorized("Not authenticated")
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
}
