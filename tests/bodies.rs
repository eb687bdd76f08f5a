//! The response body as a value: boxed as `Send + Sync`, and the error that ends it.

mod support;

use std::{error::Error, iter, net::Ipv4Addr, pin::pin};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_exception::{
    BodyError, Caught, ExceptionBody, ExceptionLayer, HttpException, Panic,
    config::{Configured, LayerConfig},
};

use support::{
    BoxError, Client, Inner, Outer, Protocol, Received, Server, first_then, request, within,
};

/// A body that is `Send + Sync` and whose error is a `std::error::Error`, as `BodyExt::boxed` and
/// several frameworks require.
type SyncBody = BoxBody<Bytes, BodyError>;

/// Returns a layer with a handler for teapots.
fn configured() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().on_status(StatusCode::IM_A_TEAPOT, |_: Caught<HttpException>| {
        Response::new(Full::<Bytes>::from("coffee after all"))
    })
}

/// Responds to `/full` with one frame, and to `/frames` with two frames and a trailer.
async fn respond(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, BoxError>>, BoxError> {
    match request.uri().path() {
        "/full" => {
            let body = Full::<Bytes>::from("plumbus").map_err(BoxError::from);
            Ok(Response::new(body.boxed()))
        }
        "/frames" => {
            let sum = (
                HeaderName::from_static("x-sum"),
                HeaderValue::from_static("8"),
            );
            let frames = [
                Frame::data(Bytes::from("one, ")),
                Frame::data(Bytes::from("two")),
                Frame::trailers(HeaderMap::from_iter([sum])),
            ];
            let frames = stream::iter(frames.map(Ok::<_, BoxError>));
            Ok(Response::new(StreamBody::new(frames).boxed()))
        }
        "/teapot" => Err(HttpException::new(StatusCode::IM_A_TEAPOT).into()),
        _ => Err(HttpException::not_found("Item not found").into()),
    }
}

/// Checks the responses of [`respond`] below `layer` if their bodies are boxed. The function is
/// generic over the layer's configuration, as user code may be.
async fn check_boxed<C: LayerConfig>(layer: ExceptionLayer<C>, teapot: &str) {
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| -> Response<SyncBody> {
            response.map(BodyExt::boxed)
        })
        .layer(layer)
        .service_fn(respond);
    let server = Server::start(service).await;
    let mut client = server.connect(Protocol::Http2).await;
    let frames = client.exchange(request(Method::GET, "/frames")).await;
    let frames = frames.unwrap();
    assert_eq!((frames.status.as_u16(), frames.text()), (200, "one, two"));
    assert_eq!(frames.trailers.unwrap()["x-sum"], "8");
    assert_eq!(
        client.get("/full").await,
        "200 | content-length: 7 | plumbus"
    );
    let not_found = "404 | content-length: 27 | content-type: application/json | \
                     {\"detail\":\"Item not found\"}";
    assert_eq!(client.get("/items/7").await, not_found);
    assert_eq!(client.get("/teapot").await, teapot);
}

#[tokio::test]
async fn a_response_body_can_be_boxed_as_send_and_sync() {
    let _: fn(ExceptionBody<Full<Bytes>>) -> SyncBody = BodyExt::boxed;
    let _: fn(ExceptionBody<Full<Bytes>, Configured>) -> SyncBody = BodyExt::boxed;
    let rendered = "418 | content-length: 25 | content-type: application/json | \
                    {\"detail\":\"I'm a teapot\"}";
    check_boxed(ExceptionLayer::new(), rendered).await;
    check_boxed(configured(), "200 | content-length: 16 | coffee after all").await;
}

/// End of a body: its last frame, or a failure.
type End = fn() -> Result<Frame<Bytes>, BoxError>;

/// Returns the error of a body that sends one frame and then fails, below a layer.
macro_rules! error_below {
    ($layer:expr, $end:expr) => {{
        let service = async |_: Request<()>| Ok::<_, BoxError>(Response::new(first_then($end)));
        let service = $layer.layer(service_fn(service));
        let response = service.oneshot(Request::default()).await.unwrap();
        let mut body = pin!(response.into_body());
        let first = within(body.frame()).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first");
        within(body.frame()).await.unwrap().unwrap_err()
    }};
}

/// Returns the errors that the body ends with below one layer, and below two.
async fn errors_of(end: End) -> [BodyError; 4] {
    [
        error_below!(ExceptionLayer::new(), end),
        error_below!(configured(), end),
        error_below!((configured(), ExceptionLayer::new()), end),
        error_below!((configured(), configured()), end),
    ]
}

#[tokio::test]
async fn the_error_of_a_body_is_found_by_its_type() {
    for error in errors_of(|| Err(Outer::of(Inner(None)).into())).await {
        assert!(error.get_ref().is::<Outer>(), "{error:?}");
        assert_eq!(error.to_string(), Outer(None).to_string());
        let outer = error.source().unwrap();
        assert!(outer.is::<Outer>());
        assert!(outer.source().unwrap().is::<Inner>());
        let error = error.into_inner();
        assert!(
            sources(&*error).any(|error| error.is::<Outer>()),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_exception_that_ends_a_body_is_found_by_its_type() {
    let ends: [End; 2] = [
        || HttpException::not_found("gone").raise(),
        || Err(HttpException::not_found("gone").into()),
    ];
    for end in ends {
        for error in errors_of(end).await {
            let exception = error.get_ref().downcast_ref::<HttpException>().unwrap();
            assert_eq!(exception.status(), 404);
            assert!(error.source().unwrap().is::<HttpException>());
            assert!(error.into_inner().is::<HttpException>());
        }
    }
}

#[tokio::test]
async fn a_panic_that_ends_a_body_is_found_by_its_type() {
    for error in errors_of(|| panic!("on purpose")).await {
        let panic = error.get_ref().downcast_ref::<Panic>().unwrap();
        assert_eq!(panic.message(), Some("on purpose"));
        assert!(sources(&*error.into_inner()).any(|error| error.is::<Panic>()));
    }
}

/// Serves one connection, and returns the error that hyper reports for it.
async fn error_of_connection<C: LayerConfig>(layer: ExceptionLayer<C>) -> hyper::Error {
    let service = layer.layer(service_fn(async |_: Request<Incoming>| {
        let body = first_then(|| Err(Outer::of(Inner(None)).into()));
        Ok::<_, BoxError>(Response::new(body))
    }));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = async {
        let mut client = Client::connect(Protocol::Http1, address).await;
        let response = client.send(request(Method::GET, "/")).await.unwrap();
        let (received, error) = Received::read(response).await;
        assert_eq!(received.text(), "first");
        error.expect("the client took a part for the whole");
    };
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(service);
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        within(connection).await.unwrap_err()
    };
    let (error, ()) = tokio::join!(server, client);
    error
}

#[tokio::test]
async fn the_server_finds_the_error_of_a_body_by_its_type() {
    let errors = [
        error_of_connection(ExceptionLayer::new()).await,
        error_of_connection(configured()).await,
    ];
    for error in errors {
        let types = sources(&error).map(|error| {
            let is_body_error = error.is::<BodyError>();
            (is_body_error, error.is::<Outer>(), error.is::<Inner>())
        });
        let expected = [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ];
        assert_eq!(types.collect::<Vec<_>>(), expected, "{error:?}");
    }
}

/// Returns `error` and its sources.
fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| (*error).source())
}
