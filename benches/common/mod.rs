//! One request and the services that respond to it, shared by the benches.
#![allow(dead_code, reason = "no bench uses all of it")]

use std::{
    future::Future,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::Full;
use tower::{BoxError, Service};
use tower_exception::{Detail, HttpException};

pub type HttpRequest = Request<Full<Bytes>>;
pub type HttpResponse = Response<Full<Bytes>>;
pub type HttpResult = Result<HttpResponse, BoxError>;

/// Sends one request as a server does: `poll_ready`, `call`, the future, every frame of the body.
pub fn exchange<S, B>(service: &mut S) -> StatusCode
where
    S: Service<HttpRequest, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(())) = service.poll_ready(&mut cx) else {
        panic!("not ready")
    };
    let request = black_box(Request::new(Full::default()));
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("no response")
    };
    let status = response.status();
    let mut body = pin!(response.into_body());
    while !body.is_end_stream() {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => drop(black_box(frame)),
            Poll::Ready(None) => break,
            _ => panic!("no frame"),
        }
    }
    status
}

pub async fn hello(_: HttpRequest) -> HttpResult {
    Ok(Response::new(Full::from("hello")))
}

pub fn not_found() -> HttpException {
    HttpException::not_found("Item not found")
}

pub async fn returns(_: HttpRequest) -> HttpResult {
    Err(not_found().into())
}

/// Renders a returned exception without a layer: the status, and the JSON of its detail.
pub fn by_hand(result: HttpResult) -> HttpResult {
    let error = match result {
        Ok(response) => return Ok(response),
        Err(error) => error,
    };
    let exception = error.downcast::<HttpException>()?;
    let Detail::Text(text) = exception.detail() else {
        return Err(exception);
    };
    let body = format!("{{\"detail\":{}}}", serde_json::to_string(text)?);
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = exception.status();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

pub async fn attaches(_: HttpRequest) -> HttpResult {
    Ok(not_found().into())
}

pub async fn raises_async(_: HttpRequest) -> HttpResult {
    not_found().raise_async().await
}

pub async fn raises(_: HttpRequest) -> HttpResult {
    not_found().raise()
}

pub async fn panics(_: HttpRequest) -> HttpResult {
    panic!("Item not found")
}

/// Way in which the innermost call fails.
#[derive(Clone, Copy)]
pub enum FailBy {
    Return,
    RaiseAsync,
    Raise,
}

/// Local variable of each call whose destructor must run.
struct Held(u32);

impl Drop for Held {
    fn drop(&mut self) {
        black_box(self.0);
    }
}

async fn fail(by: FailBy) -> Result<u32, HttpException> {
    match by {
        FailBy::Return => Err(not_found()),
        FailBy::RaiseAsync => not_found().raise_async().await,
        FailBy::Raise => not_found().raise(),
    }
}

/// Fails after so many nested async calls, each in a box of its own, as with `async_trait` and
/// recursion. The compiler cannot inline them.
pub fn boxed(
    calls: u32,
    by: FailBy,
) -> Pin<Box<dyn Future<Output = Result<u32, HttpException>> + Send>> {
    Box::pin(async move {
        let held = Held(calls);
        let below = match calls {
            0 | 1 => fail(by).await?,
            _ => boxed(calls - 1, by).await?,
        };
        Ok(below + black_box(held.0))
    })
}

/// Fails after as many nested async calls as there are [`Call`]s around [`End`], one future inside
/// another. The compiler is free to inline them.
pub trait Nested {
    fn call(by: FailBy) -> impl Future<Output = Result<u32, HttpException>> + Send;
}

pub struct Call<N>(N);
pub struct End;

impl Nested for End {
    async fn call(by: FailBy) -> Result<u32, HttpException> {
        fail(by).await
    }
}

impl<N: Nested> Nested for Call<N> {
    async fn call(by: FailBy) -> Result<u32, HttpException> {
        let held = Held(1);
        let below = N::call(by).await?;
        Ok(below + black_box(held.0))
    }
}

pub type Ten<N> = Call<Call<Call<Call<Call<Call<Call<Call<Call<Call<N>>>>>>>>>>;
pub type Hundred = Ten<Ten<Ten<Ten<Ten<Ten<Ten<Ten<Ten<Ten<End>>>>>>>>>>;
