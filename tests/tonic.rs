//! The feature `tonic`: exceptions in tonic's handlers, over real sockets, to tonic's own client.

mod common;

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::mpsc::{Receiver, channel},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client, server,
    server::NamedService,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_exception::{
    Answer, Caught, Custom, ExceptionLayer, GrpcCode, How, HttpException, Place,
};

use common::{SECRET, SECRET_TEXT, SecretError, panic_hook_runs, within};

/// A shop whose items are texts. As a generated service is made, with a message of `google.protobuf.StringValue`.
#[derive(Clone)]
struct Shop;

type Items = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

impl Shop {
    async fn get(item: String) -> Result<Response<String>, Status> {
        match item.as_str() {
            "plumbus" => Ok(Response::new(item)),
            "exception" => Err(missing())?,
            "structured" => Err(HttpException::conflict(json!({ "left": [1, 2.5] })))?,
            "long" => Err(HttpException::not_found(json!(["\u{fc}".repeat(20_000)])))?,
            "status" => Err(Status::failed_precondition("sold out")),
            "raise" => missing().raise(),
            "raise async" => missing().raise_async().await,
            _ => panic!("{SECRET_TEXT}"),
        }
    }

    /// Two items, and then it fails.
    fn list(item: String) -> Items {
        let failing = stream::once(async move { Self::get(item).await.map(Response::into_inner) });
        let two = stream::iter(["one", "two"]).map(|item| Ok(item.to_owned()));
        Box::pin(two.chain(failing))
    }
}

fn missing() -> HttpException {
    HttpException::not_found("Item not found")
        .try_with_header("x-shelf", "7")
        .unwrap()
}

impl NamedService for Shop {
    const NAME: &'static str = "shop.Shop";
}

impl Service<http::Request<Body>> for Shop {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(match request.uri().path() {
                "/shop.Shop/Get" => {
                    let get = service_fn(|item: Request<String>| Self::get(item.into_inner()));
                    grpc.unary(get, request).await
                }
                _ => {
                    let list = service_fn(async |item: Request<String>| {
                        Ok(Response::new(Self::list(item.into_inner())))
                    });
                    grpc.server_streaming(list, request).await
                }
            })
        })
    }
}

struct Running {
    channel: Channel,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// Serves the shop under a plain layer.
    async fn plain() -> Self {
        let (incoming, address) = listen().await;
        let server = Server::builder()
            .layer(ExceptionLayer::new())
            .add_service(Shop);
        Self::connect(server.serve_with_incoming(incoming), address).await
    }

    /// Serves the shop under `layer`.
    async fn start(layer: ExceptionLayer<Custom>) -> Self {
        let (incoming, address) = listen().await;
        let server = Server::builder().layer(layer).add_service(Shop);
        Self::connect(server.serve_with_incoming(incoming), address).await
    }

    async fn connect(
        server: impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
        address: SocketAddr,
    ) -> Self {
        panic_hook_runs();
        let task = tokio::spawn(server);
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        let channel = within(endpoint.connect()).await.unwrap();
        Self { channel, task }
    }

    async fn get(&self, item: &str) -> Result<String, Status> {
        let mut client = client::Grpc::new(self.channel.clone());
        within(client.ready()).await.unwrap();
        let path = PathAndQuery::from_static("/shop.Shop/Get");
        let codec = ProstCodec::<String, String>::default();
        let response = client.unary(Request::new(item.to_owned()), path, codec);
        let response = within(response).await;
        response.map(Response::into_inner).inspect_err(no_secret)
    }

    /// The items that came, and what came then.
    async fn list(&self, item: &str) -> (Vec<String>, Status) {
        let mut client = client::Grpc::new(self.channel.clone());
        within(client.ready()).await.unwrap();
        let path = PathAndQuery::from_static("/shop.Shop/List");
        let codec = ProstCodec::<String, String>::default();
        let response = client.server_streaming(Request::new(item.to_owned()), path, codec);
        let mut stream = within(response).await.unwrap().into_inner();
        let mut items = Vec::new();
        loop {
            match within(stream.message()).await {
                Ok(item) => items.push(item.expect("no status")),
                Err(status) => {
                    no_secret(&status);
                    return (items, status);
                }
            }
        }
    }
}

async fn listen() -> (TcpIncoming, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (TcpIncoming::from(listener), address)
}

fn no_secret(status: &Status) {
    assert!(!format!("{status:?}").contains(SECRET), "{status:?}");
}

fn shows(status: &Status) -> (Code, &str) {
    (status.code(), status.message())
}

const MISSING: (Code, &str) = (Code::NotFound, "Item not found");
const INTERNAL: (Code, &str) = (Code::Internal, "Internal Server Error");

#[tokio::test]
async fn every_way_out_of_a_handler() {
    let server = Running::plain().await;
    assert_eq!(server.get("plumbus").await.unwrap(), "plumbus");
    for item in ["exception", "raise", "raise async"] {
        let status = server.get(item).await.unwrap_err();
        assert_eq!(shows(&status), MISSING, "{item}");
        assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");
    }
    let status = server.get("panic").await.unwrap_err();
    assert_eq!(shows(&status), INTERNAL);
    let status = server.get("status").await.unwrap_err();
    assert_eq!(shows(&status), (Code::FailedPrecondition, "sold out"));
}

#[tokio::test]
async fn every_way_out_of_a_stream() {
    let server = Running::plain().await;
    for (item, expected) in [
        ("exception", MISSING),
        ("raise async", MISSING),
        ("status", (Code::FailedPrecondition, "sold out")),
    ] {
        let (items, status) = server.list(item).await;
        assert_eq!(
            (&*items.concat(), shows(&status)),
            ("onetwo", expected),
            "{item}"
        );
    }
    // What tonic had gathered for the next frame goes down with the stack.
    assert_eq!(shows(&server.list("raise").await.1), MISSING);
    assert_eq!(shows(&server.list("panic").await.1), INTERNAL);
}

#[tokio::test]
async fn structured_details_arrive() {
    let server = Running::plain().await;
    let status = server.get("structured").await.unwrap_err();
    assert_eq!(shows(&status), (Code::Aborted, r#"{"left":[1,2.5]}"#));
    let exception = HttpException::from(status);
    assert_eq!(exception.to_string(), r#"409: {"left":[1,2.5]}"#);
}

/// More than tonic's client takes.
#[tokio::test]
async fn a_long_detail_is_cut() {
    let server = Running::start(ExceptionLayer::new().capture_headers()).await;
    let status = server.list("long").await.1;
    assert_eq!(status.code(), Code::NotFound);
    let message = status.message().strip_suffix("...").unwrap();
    assert!(
        message.starts_with("[\"ü") && message.len() > 2000,
        "{message}"
    );
}

fn observed() -> (ExceptionLayer<Custom>, Receiver<(How, Answer)>) {
    let (told, heard) = channel();
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, answer| {
        told.send((caught.how(), answer)).unwrap();
    });
    (layer, heard)
}

/// By the status that tonic leaves in the response, which holds the exception.
#[tokio::test]
async fn handlers_and_observers_see_what_a_handler_gave_back() {
    let (layer, heard) = observed();
    let layer = layer
        .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
            exception.clone().with_detail("look elsewhere")
        })
        .on(|status: Caught<Status>| match status.code() {
            Code::FailedPrecondition => HttpException::from(Status::aborted("come back")),
            _ => HttpException::from(status.clone()),
        });
    let server = Running::start(layer).await;
    let status = server.get("exception").await.unwrap_err();
    assert_eq!(shows(&status), (Code::NotFound, "look elsewhere"));
    let status = server.get("status").await.unwrap_err();
    assert_eq!(shows(&status), (Code::Aborted, "come back"));
    let status = server.get("structured").await.unwrap_err();
    assert_eq!(shows(&status), (Code::Aborted, r#"{"left":[1,2.5]}"#));
    assert!(!status.details().is_empty());
    let heard: Vec<_> = heard.try_iter().collect();
    let answers = [GrpcCode::NotFound, GrpcCode::Aborted, GrpcCode::Aborted];
    assert_eq!(
        heard,
        answers.map(|code| (How::Attached, Answer::Grpc(code)))
    );
}

#[tokio::test]
async fn what_no_handler_takes_is_left_as_it_is() {
    let (layer, heard) = observed();
    let server = Running::start(layer).await;
    let status = server.get("status").await.unwrap_err();
    assert_eq!(shows(&status), (Code::FailedPrecondition, "sold out"));
    let answer = Answer::Grpc(GrpcCode::FailedPrecondition);
    assert_eq!(heard.try_recv(), Ok((How::Attached, answer)));
}

/// The head and the body of what is answered to a request of this content type.
async fn answer<S, B>(service: S, content_type: &str) -> (http::response::Parts, Bytes)
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let request = http::Request::post("/shop.Shop/Get").header(header::CONTENT_TYPE, content_type);
    let response = service.oneshot(request.body(Body::empty()).unwrap());
    let (head, body) = response.await.unwrap().into_parts();
    let body = body.collect().await.map_err(Into::into).unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&body).contains(SECRET));
    (head, body)
}

/// What a middleware gives back as its error.
#[tokio::test]
async fn a_status_is_itself_to_a_grpc_client_and_json_to_another() {
    let failing = service_fn(async |_: http::Request<Body>| {
        let mut status = Status::with_details(Code::DataLoss, "gone", Bytes::from_static(b"why"));
        status
            .metadata_mut()
            .insert("x-shelf", "7".parse().unwrap());
        Err::<http::Response<Full<Bytes>>, BoxError>(BoxError::from(status))
    });
    let service = ExceptionLayer::new().layer(failing);
    let (head, _) = answer(service.clone(), "application/grpc").await;
    let status = Status::from_header_map(&head.headers).unwrap();
    assert_eq!(shows(&status), (Code::DataLoss, "gone"));
    assert_eq!(status.details(), b"why");
    assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");

    let (head, body) = answer(service, "application/json").await;
    assert_eq!(
        (head.status.as_u16(), &body[..]),
        (500, &br#"{"detail":"gone"}"#[..])
    );
    assert_eq!(head.headers["x-shelf"], "7");
}

/// `Status::into_http`, from a service or from a handler.
#[tokio::test]
async fn the_response_of_a_status_is_json_to_who_does_not_speak_grpc() {
    let status = || Status::not_found("sold out").into_http::<Full<Bytes>>();
    let service =
        service_fn(move |_: http::Request<Body>| async move { Ok::<_, Infallible>(status()) });
    let service = ExceptionLayer::new()
        .observe(|_: &Caught, _| {})
        .layer(service);
    let failing = service_fn(async |_: http::Request<Body>| {
        Err::<http::Response<Full<Bytes>>, _>(SecretError)
    });
    let by_handler = ExceptionLayer::new()
        .on_any(move |_: Caught| status())
        .layer(failing);
    let json = br#"{"detail":"sold out"}"#;
    let (head, body) = answer(service.clone(), "application/json").await;
    assert_eq!((head.status.as_u16(), &body[..]), (404, &json[..]));
    assert!(!head.headers.contains_key("grpc-status"));
    let (head, body) = answer(by_handler.clone(), "application/json").await;
    assert_eq!((head.status.as_u16(), &body[..]), (404, &json[..]));
    let (head, _) = answer(service, "application/grpc").await;
    assert_eq!(head.headers["grpc-status"], "5");
    let (head, _) = answer(by_handler, "application/grpc").await;
    assert_eq!(head.headers["grpc-status"], "5");
}

/// tonic's and tonic-web's bodies make a status with an error's text of every error.
#[tokio::test]
async fn an_error_of_a_body_is_not_told_by_way_of_tonic() {
    let failing = || {
        service_fn(async |_: http::Request<Body>| {
            let body = stream::iter([Err::<http_body::Frame<Bytes>, BoxError>(SecretError.into())]);
            let body = Body::new(http_body_util::StreamBody::new(body));
            let response = http::Response::builder().header("content-type", "application/grpc");
            Ok::<_, Infallible>(response.body(body).unwrap())
        })
    };
    let request = |content_type: &'static str| {
        let request = http::Request::post("/").header(header::CONTENT_TYPE, content_type);
        request.body(Body::empty()).unwrap()
    };
    let service = ExceptionLayer::new().layer(failing());
    let response = service.oneshot(request("application/grpc")).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    let trailers: &HeaderMap = collected.trailers().unwrap();
    assert_eq!(shows(&Status::from_header_map(trailers).unwrap()), INTERNAL);

    let service = ExceptionLayer::new().layer(GrpcWebLayer::new().layer(failing()));
    let (_, body) = answer(service, "application/grpc-web").await;
    let text = String::from_utf8(body[5..].to_vec()).unwrap();
    assert_eq!(
        text,
        "grpc-message:Internal Server Error\r\ngrpc-status:13\r\n"
    );
}

/// Outside of a `GrpcWebLayer` and inside of it.
#[tokio::test]
async fn beside_tonic_web() {
    let missing = || {
        service_fn(async |_: http::Request<Body>| -> Result<_, BoxError> {
            Err::<http::Response<Body>, _>(missing().into())
        })
    };
    let inside = GrpcWebLayer::new().layer(ExceptionLayer::new().layer(missing()));
    let attached = service_fn(async |_: http::Request<Body>| {
        let response: http::Response<Full<Bytes>> = self::missing().into();
        Ok::<_, Infallible>(response)
    });
    let outside = ExceptionLayer::new().layer(GrpcWebLayer::new().layer(attached));
    for content_type in [
        "application/grpc-web+proto",
        "application/grpc-web-text+proto",
    ] {
        let answers = [
            answer(inside.clone(), content_type).await,
            answer(outside.clone(), content_type).await,
        ];
        for (head, body) in answers {
            assert!(body.is_empty());
            assert_eq!(head.status, 200);
            let status = Status::from_header_map(&head.headers).unwrap();
            assert_eq!(shows(&status), MISSING);
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_is_observed_once() {
    let (told, heard) = channel();
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, answer| {
        told.send((caught.place(), answer)).unwrap();
    });
    let server = Running::start(layer).await;
    server.list("raise async").await;
    let answer = Answer::Grpc(GrpcCode::NotFound);
    assert_eq!(
        heard.try_iter().collect::<Vec<_>>(),
        [(Place::Body, answer)]
    );
}
