//! Faults of a call: their kind and their position, which the client requests in headers.

use std::{convert::Infallible, fmt::Debug};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use serde_json::json;
use tonic::{Code, Status, body::Body, metadata::MetadataMap};
use tower::{BoxError, Service, ServiceExt as _, service_fn};
use tower_exception::HttpException;

use crate::{
    supplement::supplemented,
    support::{SECRET_TEXT, SecretError},
};

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An exception, returned by `?`.
    Returned,
    Raised,
    RaisedAsync,
    Panicked,
    /// An error that is no `Status`, returned by a layer between tonic and the exception layer.
    Error,
    /// A raised exception with a structured detail.
    Structured,
    /// An exception that says more than its detail, returned by `?` from tonic, raised elsewhere.
    Supplemented,
    /// A `Status` that the service returns.
    Status,
}

/// The position of a fault: the number of messages received before it, or sent if the response is a
/// stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// No message, and no head of the response.
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

pub const WAYS: [Way; 8] = [
    Way::Returned,
    Way::Raised,
    Way::RaisedAsync,
    Way::Panicked,
    Way::Error,
    Way::Structured,
    Way::Supplemented,
    Way::Status,
];

const POSITIONS: [Position; 4] = [
    Position::InTheHandler,
    Position::Before,
    Position::Between,
    Position::After,
];

/// Returns the exception of the kinds that have one.
pub fn exception() -> HttpException {
    HttpException::not_found("Item not found").with_header(
        HeaderName::from_static("x-own"),
        HeaderValue::from_static("own"),
    )
}

/// Returns an exception with a structured detail.
pub fn structured() -> HttpException {
    let left = json!([0.5, null, true, "é"]);
    let detail = json!({ "reason": "out of stock", "id": 7, "left": left });
    HttpException::precondition_failed(detail)
}

/// Returns a status with details and metadata. Other codes have the same HTTP status.
pub fn status() -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-own", "own".parse().unwrap());
    let details = Bytes::from_static(b"\x08\x0f");
    Status::with_details_and_metadata(Code::DataLoss, "sold out", details, metadata)
}

/// Number of messages of a stream.
pub const MESSAGES: u32 = 2;

impl Position {
    /// Returns the number of messages before the position.
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

    /// Writes the fault into the headers of a request.
    pub fn write(self, headers: &mut HeaderMap) {
        let write = |shown: &dyn Debug| HeaderValue::try_from(format!("{shown:?}")).unwrap();
        headers.insert(Self::WAY, write(&self.way));
        headers.insert(Self::POSITION, write(&self.position));
    }

    /// Reads the requested fault.
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

    /// Fails in a tonic service, if the fault has this position.
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
            Self::Supplemented => Err(supplemented())?,
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

    /// Fails in a layer or in a body.
    pub async fn in_tower(self) -> Result<Infallible, BoxError> {
        match self {
            Self::Returned => Err(exception().into()),
            Self::Raised => exception().raise(),
            Self::RaisedAsync => exception().raise_async().await,
            Self::Structured => structured().raise(),
            Self::Supplemented => supplemented().raise(),
            Self::Panicked => panic!("{SECRET_TEXT}"),
            Self::Error => Err(SecretError.into()),
            Self::Status => Err(status().into()),
        }
    }
}

/// Header of the status that [`layer`] turns into an error.
const ERROR: &str = "x-error";

/// Adds the faults that the service `inner` cannot produce itself: an error that is no status, and
/// a fault before and after the only message of a unary call.
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

/// Returns a body that fails instead of sending its trailers.
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
