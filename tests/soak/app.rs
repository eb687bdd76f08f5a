//! The service: it fails as the path of its request demands.

use std::{error::Error, fmt, time::Duration};

use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tokio::{task::yield_now, time::sleep};
use tower::{BoxError, ServiceExt, service_fn, util::BoxCloneService};
use tower_exception::HttpException;

use crate::{
    case::{Case, Kind},
    mark::mark,
    sockets,
};

pub type AppResult = Result<Response<Body>, BoxError>;

/// Name of the header that holds the mark.
pub const X_ID: HeaderName = HeaderName::from_static("x-id");

/// First words of a panic's message. The panic hook prints no such panic.
pub const PANIC: &str = "panic of";

macro_rules! errors {
    ($($(#[$docs:meta])* $name:ident = $text:literal;)*) => { $(
        $(#[$docs])*
        #[derive(Debug)]
        pub struct $name(pub Case);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($text, " of {}"), self.0.mark())
            }
        }

        impl Error for $name {}
    )* };
}

errors! {
    /// An error that no handler knows.
    Unknown = "secret";
    /// An error with a sync handler.
    Known = "error";
    /// An error with an async handler.
    KnownLate = "late error";
}

/// Returns the exception of a request.
pub fn exception(case: Case) -> HttpException {
    HttpException::new(StatusCode::CONFLICT)
        .with_detail(format!("detail of {}", case.mark()))
        .with_header(X_ID, value(&case.mark()))
        .with_source(Unknown(case))
}

pub fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}

pub fn panic_of(case: Case) -> ! {
    panic!("{PANIC} {}", case.mark());
}

/// Waits for the request's delay. Without one it is ready at once.
pub async fn wait(case: Case) {
    if case.delay > 0 {
        sleep(Duration::from_millis(case.delay)).await;
    }
}

/// A service of this test.
pub type Boxed = BoxCloneService<Request<Incoming>, Response<Body>, BoxError>;

/// Returns the service.
pub fn app() -> Boxed {
    service_fn(|request: Request<Incoming>| {
        let case = Case::of_path(request.uri().path()).expect("the path of a case");
        if case.kind == Kind::RaisedInCall {
            exception(case).raise();
        }
        match case.kind.is_websocket() {
            true => sockets::respond(case, request).boxed(),
            false => respond(case).boxed(),
        }
    })
    .boxed_clone()
}

async fn respond(case: Case) -> AppResult {
    wait(case).await;
    match case.kind {
        Kind::Returned | Kind::Grpc => Err(exception(case).into()),
        Kind::Attached => Ok(exception(case).into_response()),
        Kind::Raised | Kind::GrpcRaised => exception(case).raise(),
        Kind::RaisedAsync => exception(case).raise_async().await,
        Kind::Panicked => panic_of(case),
        Kind::Adopted => {
            let text = format!("text of {}", case.mark());
            Ok((StatusCode::NOT_FOUND, [(X_ID, case.mark())], text).into_response())
        }
        Kind::Handled => Err(Known(case).into()),
        Kind::HandledLate => Err(KnownLate(case).into()),
        Kind::BodyError => Ok(broken(case, move || Err(Unknown(case).into()))),
        Kind::BodyRaised | Kind::GrpcStreamRaised => {
            Ok(broken(case, move || exception(case).raise()))
        }
        Kind::BodyRaisedAsync => {
            let raised = async move { exception(case).raise_async().await };
            Ok(response(case, body(case, raised)))
        }
        Kind::BodyPanicked => Ok(broken(case, move || panic_of(case))),
        Kind::GrpcStream => Ok(broken(case, move || Err(exception(case).into()))),
        _ => Ok(response(case, format!("fine {}", case.mark()).into())),
    }
}

/// Returns a response whose body ends as `end` does, after a first frame.
fn broken(
    case: Case,
    end: impl FnOnce() -> Result<Bytes, BoxError> + Send + 'static,
) -> Response<Body> {
    response(case, body(case, async { end() }))
}

fn body(case: Case, end: impl Future<Output = Result<Bytes, BoxError>> + Send + 'static) -> Body {
    let first = stream::iter([Ok(Bytes::from(first_frame(case)))]);
    let end = async move {
        // The server flushes the first frame when the body is pending.
        yield_now().await;
        wait(case).await;
        end.await
    };
    Body::from_stream(first.chain(stream::once(end)))
}

/// Returns the first frame of a body: over gRPC a message, with its length.
pub fn first_frame(case: Case) -> String {
    let text = format!("first of {}", case.mark());
    match case.kind.is_grpc() {
        true => format!("\0\0\0\0{}{text}", char::from(text.len() as u8)),
        false => text,
    }
}

fn response(case: Case, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(X_ID, value(&mark(case.id)));
    if case.kind.is_grpc() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    }
    response
}
