//! Allocations of the layer, counted: none if nothing is raised.
//!
//! A test counts one exchange as a server drives it: ready, call, poll, then every frame of the
//! body. The exchange runs on the test's own thread, and only that thread's allocations count.

use std::{
    fmt,
    pin::pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::AllocationInfo;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body::{Body, Frame};
use http_body_util::{Full, StreamBody};
use tower::{BoxError, Layer as _, Service, service_fn, util::MapRequestLayer};
use tower_exception::{
    CloseCode, ExceptionLayer, HttpException, WebSocketException,
    config::Configured,
    render::{Json, Negotiated, Text},
};

type TestResponse = Response<Full<Bytes>>;
type TestResult = Result<TestResponse, BoxError>;

/// Returns the number of allocations of one exchange, all of which it must free.
fn allocations<S, B>(mut service: S, status: u16) -> u64
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    // The first exchange initializes what is initialized once.
    exchange(&mut service, status);
    let AllocationInfo {
        count_total,
        count_current,
        bytes_current,
        ..
    } = allocation_counter::measure(|| exchange(&mut service, status));
    assert_eq!(
        (count_current, bytes_current),
        (0, 0),
        "something was not freed"
    );
    count_total
}

fn exchange<S, B>(service: &mut S, status: u16)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(())) = service.poll_ready(&mut cx) else {
        panic!("not ready")
    };
    let request = Request::new(Full::default());
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("no response")
    };
    assert_eq!(response.status(), status);
    let mut body = pin!(response.into_body());
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => drop(frame),
            Poll::Ready(None) => break,
            _ => panic!("no frame"),
        }
    }
}

/// Returns a configured layer that renders as the default one.
fn configured() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_renderer(Json)
}

async fn hello(_: Request<Full<Bytes>>) -> TestResult {
    Ok(Response::new(Full::from("hello")))
}

/// Allocates itself, and responds with several frames and trailers.
async fn laborious(
    _: Request<Full<Bytes>>,
) -> Result<Response<impl Body<Data = Bytes, Error = BoxError>>, BoxError> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-done", HeaderValue::from_static("yes"));
    let frames = [
        Frame::data(Bytes::from(vec![1; 100])),
        Frame::data(Bytes::from("2".repeat(100))),
        Frame::trailers(trailers),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok)));
    Ok(Response::builder().header("x-made", "by hand").body(body)?)
}

#[test]
fn no_allocation_is_added_if_nothing_is_raised() {
    let bare = allocations(service_fn(hello), 200);
    assert_eq!(bare, 0);
    assert_eq!(
        allocations(ExceptionLayer::new().layer(service_fn(hello)), 200),
        bare
    );
    assert_eq!(
        allocations(configured().layer(service_fn(hello)), 200),
        bare
    );
    let both = ExceptionLayer::new().layer(configured().layer(service_fn(hello)));
    assert_eq!(allocations(both, 200), bare);

    let bare = allocations(service_fn(laborious), 200);
    assert!(bare > 5, "{bare}");
    assert_eq!(
        allocations(ExceptionLayer::new().layer(service_fn(laborious)), 200),
        bare
    );
    assert_eq!(
        allocations(configured().layer(service_fn(laborious)), 200),
        bare
    );
}

/// This holds for plain gRPC. Over gRPC-Web the layer boxes the body, to track its messages.
#[test]
fn no_allocation_is_added_over_grpc() {
    async fn message(_: Request<Full<Bytes>>) -> TestResult {
        let response = Response::builder().header(CONTENT_TYPE, "application/grpc");
        Ok(response.body(Full::from(&b"\0\0\0\0\x02hi"[..]))?)
    }
    let as_grpc = MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
        *request.method_mut() = Method::POST;
        let grpc = HeaderValue::from_static("application/grpc");
        request.headers_mut().insert(CONTENT_TYPE, grpc);
        request
    });
    let bare = allocations(as_grpc.layer(service_fn(message)), 200);
    let plain = ExceptionLayer::new().layer(service_fn(message));
    assert_eq!(allocations(as_grpc.layer(plain), 200), bare);
    let custom = configured().layer(service_fn(message));
    assert_eq!(allocations(as_grpc.layer(custom), 200), bare);
}

#[test]
fn a_layer_that_negotiates_allocates_once_for_a_request_that_has_accept() {
    let layer = ExceptionLayer::new().with_renderer(Negotiated::new(Json).or(Text));
    assert_eq!(allocations(layer.layer(service_fn(hello)), 200), 0);
    let accepting = MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
        let value = HeaderValue::from_static("text/html, */*;q=0.8");
        request.headers_mut().insert(ACCEPT, value);
        request
    });
    let bare = allocations(accepting.layer(service_fn(hello)), 200);
    let negotiating = layer.layer(service_fn(hello));
    assert_eq!(allocations(accepting.layer(negotiating), 200), bare + 1);
    let other = configured().layer(service_fn(hello));
    assert_eq!(allocations(accepting.layer(other), 200), bare);
}

fn not_found() -> HttpException {
    HttpException::not_found("Item not found")
}

fn no_content() -> HttpException {
    HttpException::new(StatusCode::NO_CONTENT)
}

fn no_swearing() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing")
}

fn with_headers() -> HttpException {
    not_found()
        .with_header(
            HeaderName::from_static("x-own"),
            HeaderValue::from_static("1"),
        )
        .with_header(
            HeaderName::from_static("x-own"),
            HeaderValue::from_static("2"),
        )
        .with_header(
            HeaderName::from_static("x-other"),
            HeaderValue::from_static("3"),
        )
}

/// Counts exactly, from the construction of the exception to the last frame of the response, so
/// that every change is noticed. The limit for a returned exception is 5.
///
/// The configured layer has a renderer, which receives the failure in one allocation. The last pair
/// of each row is what the feature `metrics` adds: a counter's labels are dynamic, and a layer
/// without configuration has to look at an attached exception.
#[test]
fn a_failure_takes_few_allocations() {
    type End = fn() -> TestResult;
    struct Row {
        name: &'static str,
        status: u16,
        end: End,
        default: u64,
        configured: u64,
    }
    macro_rules! rows {
        ($($name:literal, $status:literal: $end:expr, $default:literal, $configured:literal,
            $metrics:expr;)*) => {
            [$(Row {
                name: $name,
                status: $status,
                end: || $end,
                default: $default + with_metrics($metrics.0),
                configured: $configured + with_metrics($metrics.1),
            }),*]
        };
    }
    let rows = rows! {
        "returned", 404: Err(not_found().into()), 5, 6, (3, 3);
        "returned, with headers", 404: Err(with_headers().into()), 6, 7, (3, 3);
        "returned, without a body", 204: Err(no_content().into()), 2, 3, (3, 3);
        "returned, for a WebSocket", 403: Err(no_swearing().into()), 7, 8, (3, 3);
        "attached", 404: Ok(not_found().into()), 7, 9, (5, 3);
        "attached, with headers", 404: Ok(with_headers().into()), 12, 14, (8, 3);
        "raised", 404: not_found().raise(), 6, 7, (3, 3);
        "raised, with headers", 404: with_headers().raise(), 7, 8, (3, 3);
        "an error", 500: Err(fmt::Error.into()), 4, 5, (2, 2);
    };
    let bare = allocations(service_fn(hello), 200);
    let mut differences = Vec::new();
    for row in rows {
        let service = || service_fn(async |_: Request<Full<Bytes>>| (row.end)());
        let default = allocations(ExceptionLayer::new().layer(service()), row.status) - bare;
        let configured = allocations(self::configured().layer(service()), row.status) - bare;
        if (default, configured) != (row.default, row.configured) {
            differences.push(format!("{}: {default}, configured {configured}", row.name));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Returns the allocations that the feature `metrics` adds, if it is on.
fn with_metrics(allocations: u64) -> u64 {
    match cfg!(feature = "metrics") {
        true => allocations,
        false => 0,
    }
}
