//! Allocations of a layer with handlers, counted: none if nothing is raised.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, IntoFailure, Outcome, Panic, Reply,
    config::Configured,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type HttpRequest = Request<Full<Bytes>>;

/// Returns a layer with five handlers and an observer.
fn five_handlers() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .on(|_: Caught<std::io::Error>| StatusCode::BAD_GATEWAY)
        .on(async |_: Caught<std::fmt::Error>| StatusCode::CONFLICT)
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            HttpException::not_found("nothing here")
        })
        .on_panic(|_: Caught<Panic>| StatusCode::INTERNAL_SERVER_ERROR)
        .on_any(|_: Caught| StatusCode::INTERNAL_SERVER_ERROR)
        .observe(|_: &Caught, _: Outcome| {})
}

/// Returns a request whose URI can be cloned without an allocation.
///
/// A layer with handlers clones the URI, and a `Uri` consists of `Bytes`. Cloning the `Bytes` of a
/// literal, or of a buffer that is shared already, only increments a counter. hyper's HTTP/1 has
/// such URIs: a head is a slice of the connection's buffer. `Uri::try_from(String)` makes `Bytes`
/// of a `Vec` instead, and the first clone of these allocates the shared counter. The test would
/// count that allocation, though no server pays for it.
fn request() -> HttpRequest {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = Uri::from_static("/items/1?page=2");
    request
}

/// Returns the number of allocations of an exchange: ready, call, poll, and every frame of the
/// body.
fn allocations<S, B>(service: &mut S, request: HttpRequest, expected: u16) -> u64
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes>,
{
    let mut request = Some(request);
    let mut status = None;
    let info = allocation_counter::measure(|| {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        let future = service.call(request.take().unwrap());
        let Poll::Ready(Ok(response)) = pin!(future).poll(&mut cx) else {
            panic!("no response")
        };
        status = Some(response.status());
        let mut body = pin!(response.into_body());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            assert!(frame.is_ok());
        }
    });
    assert_eq!(status.unwrap(), expected);
    info.count_total
}

async fn hello(_: HttpRequest) -> Result<Response<Full<Bytes>>, BoxError> {
    Ok(Response::new(Full::from("hello")))
}

#[test]
fn five_handlers_add_no_allocation() {
    let mut bare = service_fn(hello);
    let mut layered = five_handlers().layer(service_fn(hello));
    // The first exchange initializes what is initialized once, such as thread-local state.
    allocations(&mut layered, request(), 200);
    assert_eq!(allocations(&mut bare, request(), 200), 0);
    assert_eq!(allocations(&mut layered, request(), 200), 0);
}

#[cfg(feature = "websocket")]
#[test]
fn websockets_add_no_allocation_to_a_request_for_none() {
    let mut layered = ExceptionLayer::new()
        .with_websockets(tower_exception::WebSockets::new())
        .layer(service_fn(hello));
    allocations(&mut layered, request(), 200);
    assert_eq!(allocations(&mut layered, request(), 200), 0);
    let mut other_upgrade = request();
    other_upgrade
        .headers_mut()
        .insert("upgrade", http::HeaderValue::from_static("h2c"));
    assert_eq!(allocations(&mut layered, other_upgrade, 200), 0);
}

#[test]
fn adopting_adds_no_allocation_if_nothing_is_adopted() {
    let mut layered = five_handlers()
        .adopt_error_responses()
        .layer(service_fn(hello));
    allocations(&mut layered, request(), 200);
    assert_eq!(allocations(&mut layered, request(), 200), 0);
}

#[test]
fn an_allocation_of_the_service_is_counted() {
    let mut service = service_fn(async |_: HttpRequest| {
        let text = std::hint::black_box(vec![b'x'; 5]);
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(text)))
    });
    assert_ne!(allocations(&mut service, request(), 200), 0);
}

/// An error that takes a box.
#[derive(Debug)]
struct SoldOut {
    _left: u32,
}

impl std::fmt::Display for SoldOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sold out")
    }
}

impl std::error::Error for SoldOut {}

fn sold_out() -> Error {
    SoldOut { _left: 0 }.into()
}

fn internal() -> HttpException {
    HttpException::new(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the number of allocations of a returned error, under a layer without and one with
/// configuration.
fn of_returned<E: IntoFailure + 'static>(error: fn() -> E) -> [u64; 2] {
    let fails = move |_: HttpRequest| async move { Err::<Response<Full<Bytes>>, _>(error()) };
    let declining = ExceptionLayer::new().on(|_: Caught<SoldOut>| Reply::decline());
    let mut plain = ExceptionLayer::new().layer(service_fn(fails));
    let mut configured = declining.layer(service_fn(fails));
    allocations(&mut plain, request(), 500);
    allocations(&mut configured, request(), 500);
    [
        allocations(&mut plain, request(), 500),
        allocations(&mut configured, request(), 500),
    ]
}

/// Counts exactly. The limit for an [`Error`] is what an exception takes, and one more.
///
/// An `Error` is one allocation, and an error of another type one more: its box. No exception is
/// allocated for such an error, except for a handler of its status. The handler that the configured
/// layer asks receives the failure in one allocation.
#[test]
fn a_returned_error_takes_few_allocations() {
    // The labels of the counter: the status of the outcome, and that of an exception as the type.
    let with_metrics = |counts: [u64; 2], labels| match cfg!(feature = "metrics") {
        true => counts.map(|count| count + labels),
        false => counts,
    };
    let boxed = || BoxError::from(SoldOut { _left: 0 });
    assert_eq!(of_returned(internal), with_metrics([4, 4], 3));
    assert_eq!(
        of_returned(|| Error::from(internal())),
        with_metrics([5, 5], 3)
    );
    assert_eq!(of_returned(sold_out), with_metrics([5, 6], 2));
    assert_eq!(of_returned(boxed), with_metrics([5, 6], 2));
    assert_eq!(size_of::<tower_exception::Result<()>>(), size_of::<usize>());
}

#[cfg(feature = "axum")]
#[test]
fn an_attached_error_takes_few_allocations() {
    use axum::response::{IntoResponse, Response};
    fn of_attached<R: IntoResponse + 'static>(reply: fn() -> R) -> u64 {
        let replies =
            move |_: HttpRequest| async move { Ok::<Response, BoxError>(reply().into_response()) };
        let mut service = ExceptionLayer::new().layer(service_fn(replies));
        allocations(&mut service, request(), 500);
        allocations(&mut service, request(), 500)
    }
    let exception = of_attached(internal);
    let error = of_attached(|| Error::from(internal()));
    assert!(error <= exception + 1, "{error}, {exception}");
    let error = of_attached(sold_out);
    assert!(error <= exception + 2, "{error}, {exception}");
}

#[test]
fn a_layer_captures_at_the_price_of_an_allocation_only_if_asked() {
    #[derive(Clone)]
    struct User;
    let with_user = || {
        let mut request = request();
        request.extensions_mut().insert(User);
        request
    };
    let revealing = five_handlers()
        .reveal(|_: &SoldOut| None)
        .on_status(400..=599, |_: Caught<HttpException>| Reply::decline());
    let mut without = revealing.clone().layer(service_fn(hello));
    let mut with = revealing.capture::<User>().layer(service_fn(hello));
    allocations(&mut without, with_user(), 200);
    allocations(&mut with, with_user(), 200);
    assert_eq!(allocations(&mut without, with_user(), 200), 0);
    assert_ne!(allocations(&mut with, with_user(), 200), 0);
}
