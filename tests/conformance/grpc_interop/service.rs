//! The parts of gRPC's test service that its error cases use. It fails in four ways.

use std::{convert::Infallible, net::SocketAddr, vec};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use http::{HeaderMap, HeaderName, Request as HttpRequest, Response as HttpResponse};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use tonic::{
    Code, Request, Response, Status, Streaming, async_trait, body::Body, metadata::MetadataMap,
    service::Routes,
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use crate::{
    generated::{
        EchoStatus, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
        StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
        test_service_server::{TestService, TestServiceServer},
    },
    support::{Reports, Server, observed},
};

/// The way in which a requested status leaves the service.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// tonic's own `Status`.
    Status,
    /// An exception, returned by `?`.
    Returned,
    Raised,
    RaisedAsync,
}

pub const WAYS: [Way; 4] = [Way::Status, Way::Returned, Way::Raised, Way::RaisedAsync];

/// Metadata of a request that names the way.
pub const WAY: &str = "x-way";

/// Metadata that the service sends back in the head, and in the trailers.
pub const INITIAL: &str = "x-grpc-test-echo-initial";
pub const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

impl Way {
    fn of(metadata: &MetadataMap) -> Self {
        let name = metadata.get(WAY).map(|name| name.to_str().unwrap());
        let way = WAYS
            .into_iter()
            .find(|way| Some(&*format!("{way:?}")) == name);
        way.unwrap_or(Self::Status)
    }

    async fn fail(self, status: Status) -> Result<Infallible, Status> {
        match self {
            Self::Status => Err(status),
            Self::Returned => Err(HttpException::from(status))?,
            Self::Raised => HttpException::from(status).raise(),
            Self::RaisedAsync => HttpException::from(status).raise_async().await,
        }
    }
}

/// Fails with the requested status, if there is one. It has the metadata that is to be sent back.
async fn echo_status(status: Option<EchoStatus>, metadata: &MetadataMap) -> Result<(), Status> {
    let Some(EchoStatus { code, message }) = status else {
        return Ok(());
    };
    let headers = echoed(metadata.as_ref(), [INITIAL, TRAILING]);
    let metadata_back = MetadataMap::from_headers(headers);
    let status = Status::with_metadata(Code::from_i32(code), message, metadata_back);
    match Way::of(metadata).fail(status).await? {}
}

/// Returns those of the headers that have these names.
fn echoed<const N: usize>(headers: &HeaderMap, names: [&'static str; N]) -> HeaderMap {
    let echoed = names.into_iter().filter_map(|name| {
        let value = headers.get(name)?.clone();
        Some((HeaderName::from_static(name), value))
    });
    echoed.collect()
}

/// An event in the life of a call whose request is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Begun,
    /// The call's future or its stream has been dropped.
    Dropped,
}

/// Sends [`Event::Dropped`] when it is dropped.
struct CallGuard(mpsc::UnboundedSender<Event>);

impl Drop for CallGuard {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.0.send(Event::Dropped);
    }
}

#[derive(Clone)]
struct Tester {
    events: mpsc::UnboundedSender<Event>,
}

impl Tester {
    fn begin(&self) -> CallGuard {
        // The test may have ended.
        let _ = self.events.send(Event::Begun);
        CallGuard(self.events.clone())
    }
}

pub fn payload(bytes: i32) -> Option<Payload> {
    let body = vec![0; usize::try_from(bytes).unwrap()];
    Some(Payload { body })
}

#[async_trait]
impl TestService for Tester {
    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        echo_status(request.response_status, &metadata).await?;
        let payload = payload(request.response_size);
        Ok(Response::new(SimpleResponse { payload }))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let _guard = self.begin();
        let mut requests = request.into_inner();
        let mut bytes = 0;
        while let Some(request) = requests.message().await? {
            bytes += request.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = bytes.try_into().unwrap();
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size,
        }))
    }

    type FullDuplexCallStream = BoxStream<'static, Result<StreamingOutputCallResponse, Status>>;

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Self::FullDuplexCallStream>, Status> {
        let guard = self.begin();
        let (metadata, _, requests) = request.into_parts();
        let call = Call {
            metadata,
            requests,
            sizes: Vec::new().into_iter(),
            _guard: guard,
        };
        Ok(Response::new(Box::pin(stream::try_unfold(
            call,
            Call::next,
        ))))
    }
}

/// A call of which both the request and the response are streams.
struct Call {
    metadata: MetadataMap,
    requests: Streaming<StreamingOutputCallRequest>,
    /// Sizes of the responses to the last request.
    sizes: vec::IntoIter<i32>,
    _guard: CallGuard,
}

impl Call {
    async fn next(mut self) -> Result<Option<(StreamingOutputCallResponse, Self)>, Status> {
        loop {
            if let Some(size) = self.sizes.next() {
                let payload = payload(size);
                return Ok(Some((StreamingOutputCallResponse { payload }, self)));
            }
            let Some(request) = self.requests.message().await? else {
                return Ok(None);
            };
            echo_status(request.response_status, &self.metadata).await?;
            let sizes = request.response_parameters.iter();
            self.sizes = sizes.map(|it| it.size).collect::<Vec<_>>().into_iter();
        }
    }
}

/// Sends the metadata of a call that succeeds back: one name in the head, one in the trailers.
fn echo_metadata<S, A, B>(
    inner: S,
) -> impl Service<HttpRequest<A>, Response = HttpResponse<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    S: Service<HttpRequest<A>, Response = HttpResponse<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync + 'static,
    A: Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    service_fn(move |request: HttpRequest<A>| {
        let inner = inner.clone();
        async move {
            let head = echoed(request.headers(), [INITIAL]);
            let trailers = echoed(request.headers(), [TRAILING]);
            let mut response = inner.oneshot(request).await?;
            // A response without a body has its status in the head, and the metadata of the status.
            if response.headers().contains_key("grpc-status") {
                return Ok(response.map(Body::new));
            }
            response.headers_mut().extend(head);
            let trailers = async move { (!trailers.is_empty()).then_some(Ok(trailers)) };
            Ok(response.map(|body| Body::new(body.with_trailers(Box::pin(trailers)))))
        }
    })
}

/// The kind of a server.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// tonic's service alone.
    Alone,
    /// tonic's routes in an axum router.
    InAxum,
}

pub const KINDS: [Kind; 2] = [Kind::Alone, Kind::InAxum];

/// A server under the layer, its calls and the layer's reports.
pub struct Tested {
    pub server: Server,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub reports: Reports,
}

impl Tested {
    pub async fn start(kind: Kind) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let service = TestServiceServer::new(Tester { events });
        let (layer, reports) = observed(ExceptionLayer::new());
        let server = match kind {
            Kind::Alone => Server::start(layer.layer(echo_metadata(service))).await,
            Kind::InAxum => {
                let router = Routes::new(service).prepare().into_axum_router();
                let echoing = tower::layer::layer_fn(echo_metadata);
                Server::start_axum(router.layer(echoing).layer(layer)).await
            }
        };
        Self {
            server,
            events: receiver,
            reports,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}
