//! A layer with handlers allocates nothing where nothing is raised.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_exception::{Answer, Caught, Custom, ExceptionLayer, HttpException, Panic};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type HttpRequest = Request<Full<Bytes>>;

/// Five handlers, and an observer.
fn five_handlers() -> ExceptionLayer<Custom> {
    ExceptionLayer::new()
        .on(|_: Caught<std::io::Error>| StatusCode::BAD_GATEWAY)
        .on(async |_: Caught<std::fmt::Error>| StatusCode::CONFLICT)
        .on_status(StatusCode::NOT_FOUND, |_: Caught<HttpException>| {
            HttpException::not_found("nothing here")
        })
        .on_panic(|_: Caught<Panic>| StatusCode::INTERNAL_SERVER_ERROR)
        .on_any(|_: Caught| StatusCode::INTERNAL_SERVER_ERROR)
        .observe(|_: &Caught, _: Answer| {})
}

/// A request whose URI costs no allocation to clone.
///
/// A layer with handlers clones it, and a `Uri` is made of `Bytes`. Those of a literal, or of a buffer that is
/// shared already, are cloned by counting up. Those of hyper's HTTP/1 are such: a head is a slice of the connection's
/// buffer. But `Uri::try_from(String)` makes `Bytes` of a `Vec`, whose first clone allocates what it is shared by:
/// that would be counted here though no server pays for it.
fn request() -> HttpRequest {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = Uri::from_static("/items/1?page=2");
    request
}

/// How many allocations an exchange takes: ready, call, poll, and every frame of the body.
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
fn five_handlers_add_none() {
    let mut bare = service_fn(hello);
    let mut layered = five_handlers().layer(service_fn(hello));
    // What is set up once, such as a thread's own state, is not a request's.
    allocations(&mut layered, request(), 200);
    assert_eq!(allocations(&mut bare, request(), 200), 0);
    assert_eq!(allocations(&mut layered, request(), 200), 0);
}

#[cfg(feature = "websocket")]
#[test]
fn upgrades_add_none_to_what_is_no_upgrade() {
    let mut layered = ExceptionLayer::new()
        .with_upgrades()
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
fn adopting_adds_none_where_there_is_nothing_to_adopt() {
    let mut layered = five_handlers()
        .adopt_error_responses()
        .layer(service_fn(hello));
    allocations(&mut layered, request(), 200);
    assert_eq!(allocations(&mut layered, request(), 200), 0);
}

#[test]
fn what_is_counted_is_counted() {
    let mut service = service_fn(async |_: HttpRequest| {
        let text = std::hint::black_box(vec![b'x'; 5]);
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(text)))
    });
    assert_ne!(allocations(&mut service, request(), 200), 0);
}
