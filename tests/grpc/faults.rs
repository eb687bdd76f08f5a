//! What goes wrong in a call, and when: the client says so in a header.

use std::{convert::Infallible, fmt::Debug};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use serde_json::json;
use tonic::{Code, Status, body::Body, metadata::MetadataMap};
use tower::{BoxError, Service, ServiceExt as _, service_fn};
use tower_exception::HttpException;

use crate::common::{SECRET_TEXT, SecretError};

/// The way in which it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An exception, by `?`.
    Returned,
    Raised,
    RaisedAsync,
    Panicked,
    /// An error that is no `Status`: a layer between tonic and the one that catches gives it.
    Error,
    /// As `Raised`, with another exception.
    Structured,
    /// A `Status` of the service's own.
    Status,
}

/// How many messages have been received, or sent where the answer is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// None, and neither has the head of the response.
    InTheHandler,
    Before,
    Between,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub way: Way,
    pub position: Position,
}

const WAYS: [Way; 7] = [
    Way::Returned,
    Way::Raised,
    Way::RaisedAsync,
    Way::Panicked,
    Way::Error,
    Way::Structured,
    Way::Status,
];

const POSITIONS: [Position; 4] = [
    Position::InTheHandler,
    Position::Before,
    Position::Between,
    Position::After,
];

/// The exception of those ways that have one.
pub fn exception() -> HttpException {
    HttpException::not_found("Item not found").with_header(
        HeaderName::from_static("x-own"),
        HeaderValue::from_static("own"),
    )
}

/// One with a structured detail.
pub fn structured() -> HttpException {
    let left = json!([0.5, null, true, "é"]);
    let detail = json!({ "reason": "out of stock", "id": 7, "left": left });
    HttpException::precondition_failed(detail)
}

/// A status with all that it may have. Its HTTP status is that of other codes too.
pub fn status() -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-own", "own".parse().unwrap());
    let details = Bytes::from_static(b"\x08\x0f");
    Status::with_details_and_metadata(Code::DataLoss, "sold out", details, metadata)
}

/// How many messages a stream has.
pub const MESSAGES: u32 = 2;

impl Position {
    /// How many messages come before it.
    pub fn messages(self) -> u32 {
        match self {
            Self::InTheHandler | Self::Before => 0,
            Self::Between => 1,
            Self::After => MESSAGES,
        }
    }
}

impl Fault {
    const WAY: HeaderName = HeaderName::from_static("x-way");
    const POSITION: HeaderName = HeaderName::from_static("x-position");

    /// Asks for it.
    pub fn write(self, headers: &mut HeaderMap) {
        let write = |shown: &dyn Debug| HeaderValue::try_from(format!("{shown:?}")).unwrap();
        headers.insert(Self::WAY, write(&self.way));
        headers.insert(Self::POSITION, write(&self.position));
    }

    /// The one that is asked for.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        fn read<T: Copy + Debug>(headers: &HeaderMap, name: HeaderName, all: &[T]) -> Option<T> {
            let text = headers.get(name)?.to_str().unwrap();
            all.iter().copied().find(|one| format!("{one:?}") == text)
        }
        Some(Self {
            way: read(headers, Self::WAY, &WAYS)?,
            position: read(headers, Self::POSITION, &POSITIONS)?,
        })
    }

    /// Happens in a tonic service, if this is the time.
    pub async fn at(fault: Option<Self>, position: Position) -> Result<(), Status> {
        match fault {
            Some(fault) if fault.position == position => fault.way.in_tonic().await,
            _ => Ok(()),
        }
    }
}

impl Way {
    async fn in_tonic(self) -> Result<(), Status> {
        match self {
            Self::Returned => Err(exception())?,
            Self::Status => Err(status()),
            Self::Error => {
                let mut marked = Status::unknown("");
                let value = "".parse().unwrap();
                marked.metadata_mut().insert(ERROR, value);
                Err(marked)
            }
            _ => match self.in_tower().await {
                Ok(never) => match never {},
                Err(error) => unreachable!("{error}"),
            },
        }
    }

    /// Happens in a layer or in a body.
    pub async fn in_tower(self) -> Result<Infallible, BoxError> {
        match self {
            Self::Returned => Err(exception().into()),
            Self::Raised => exception().raise(),
            Self::RaisedAsync => exception().raise_async().await,
            Self::Structured => structured().raise(),
            Self::Panicked => panic!("{SECRET_TEXT}"),
            Self::Error => Err(SecretError.into()),
            Self::Status => Err(status().into()),
        }
    }
}

/// Marks the status that [`layer`] makes an error of.
const ERROR: &str = "x-error";

/// What the service that `inner` is cannot do itself: give an error that is no status, and fail before and after a
/// unary call's only message.
pub fn layer<S, A, B>(
    inner: S,
) -> impl Service<Request<A>, Response = Response<Body>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    S: Service<Request<A>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
    A: Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    service_fn(move |request: Request<A>| {
        let inner = inner.clone();
        async move {
            let unary = request.uri().path().ends_with("/Get");
            let fault = Fault::read(request.headers()).filter(|_| unary);
            let at = |position| {
                fault
                    .filter(|fault| fault.position == position)
                    .map(|fault| fault.way)
            };
            if let Some(way) = at(Position::Before) {
                way.in_tower().await?;
            }
            let response = inner.oneshot(request).await.map_err(Into::into)?;
            if response.headers().contains_key(ERROR) {
                return Err(SecretError.into());
            }
            let after = at(Position::After);
            Ok(response.map(|body| Body::new(failing(body, after))))
        }
    })
}

/// A body that fails instead of sending its trailers.
fn failing<B>(body: B, way: Option<Way>) -> UnsyncBoxBody<Bytes, BoxError>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let body = Box::pin(body.map_err(Into::into));
    let frames = stream::try_unfold(body, move |mut body| async move {
        let Some(frame) = body.frame().await.transpose()? else {
            return Ok(None);
        };
        if let Some(trailers) = frame.trailers_ref() {
            if trailers.contains_key(ERROR) {
                return Err(SecretError.into());
            }
            if let Some(way) = way {
                way.in_tower().await?;
            }
        }
        Ok(Some((frame, body)))
    });
    UnsyncBoxBody::new(StreamBody::new(frames))
}
