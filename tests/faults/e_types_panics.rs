//! Users' types that panic outside of a poll: bodies, errors, values of extensions.

use std::{
    fmt,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Layer, Service, ServiceExt as _, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Phase, config::Configured, render::Rendered,
};

use crate::support::{PROTOCOLS, Protocol, Server, endless_empty_frames, observed, request};

// E8

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    SizeHint,
    IsEndStream,
    Drop,
    /// All of them.
    Any,
    /// A poll panics, and so does `Drop`.
    Poll,
    /// The conversion of the body's error.
    IntoError,
}

const FAULTS: [Fault; 6] = [
    Fault::SizeHint,
    Fault::IsEndStream,
    Fault::Drop,
    Fault::Any,
    Fault::Poll,
    Fault::IntoError,
];

/// A body with a text, of which one method panics. It hurts only until it is disarmed.
struct Faulty {
    fault: Fault,
    text: Option<&'static str>,
}

impl Faulty {
    fn hurt(&self, fault: Fault) {
        let both = self.fault == Fault::Any && fault != Fault::Poll && fault != Fault::IntoError;
        if self.fault == fault || both {
            resume_unwind(Box::new("faulty"));
        }
    }
}

impl Body for Faulty {
    type Data = Bytes;
    type Error = FaultyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FaultyError>>> {
        self.hurt(Fault::Poll);
        if self.fault == Fault::IntoError {
            return Poll::Ready(Some(Err(FaultyError)));
        }
        let text = self.text.take();
        Poll::Ready(text.map(|text| Ok(Frame::data(Bytes::from(text)))))
    }

    fn is_end_stream(&self) -> bool {
        self.hurt(Fault::IsEndStream);
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.hurt(Fault::SizeHint);
        match self.text {
            Some(text) => SizeHint::with_exact(text.len() as u64),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if self.fault == Fault::Poll {
            resume_unwind(Box::new("faulty"));
        }
        self.hurt(Fault::Drop);
    }
}

/// An error whose conversion panics.
#[derive(Debug)]
struct FaultyError;

impl From<FaultyError> for BoxError {
    fn from(_: FaultyError) -> Self {
        resume_unwind(Box::new("faulty"))
    }
}

/// A value whose `Drop` panics.
#[derive(Clone)]
struct DropPanics(#[allow(dead_code)] Arc<Bomb>);

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("faulty"));
    }
}

fn adopting() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().adopt_error_responses()
}

fn with_renderer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().with_renderer(|exception: &HttpException, _: &Caught| {
        Rendered::new(HeaderValue::from_static("text/x"), exception.to_string())
    })
}

fn with_handler() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().on(|_: Caught<HttpException>| HttpException::gone("sold out"))
}

async fn statuses<S, B>(service: S) -> Vec<Result<u16, String>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let server = Server::start(service).await;
    let mut statuses = Vec::new();
    for protocol in PROTOCOLS {
        for method in [Method::GET, Method::HEAD] {
            let mut client = server.connect(protocol).await;
            let response = client.send(request(method, "/")).await;
            statuses.push(
                response
                    .map_err(|e| e.to_string())
                    .map(|r| r.status().as_u16()),
            );
        }
    }
    assert_eq!(server.panics(), 0);
    statuses
}

#[tokio::test]
async fn an_adopted_body_that_panics_is_contained() {
    for fault in FAULTS {
        for (layer, expected) in [
            (adopting(), 404),
            (with_renderer().adopt_error_responses(), 404),
            (with_handler().adopt_error_responses(), 410),
        ] {
            let service = service_fn(move |_: Request<Incoming>| async move {
                let mut response = Response::new(Faulty {
                    fault,
                    text: Some("no item"),
                });
                *response.status_mut() = StatusCode::NOT_FOUND;
                let text = HeaderValue::from_static("text/plain");
                response.headers_mut().insert(CONTENT_TYPE, text);
                if expected == 410 {
                    // The handler's response has no use for the head.
                    response.extensions_mut().insert(DropPanics(Arc::new(Bomb)));
                }
                Ok::<_, BoxError>(response)
            });
            let expected = match fault {
                Fault::Poll => 500,
                // The body ends with an error: the response passes, and is cut short.
                Fault::IntoError => 500,
                _ => expected,
            };
            assert_eq!(
                statuses(layer.layer(service)).await,
                vec![Ok(expected); 4],
                "{fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_attached_body_that_panics_is_contained() {
    async fn check(layer: ExceptionLayer<Configured>, fault: Fault, expected: u16) {
        let service = service_fn(move |_: Request<Incoming>| async move {
            let response: Response<Bytes> = HttpException::not_found("no item").into();
            let mut response = response.map(|_| Faulty {
                fault,
                // As long as the rendering: a longer or a shorter body is a middleware's.
                text: Some("{\"detail\":\"no item\"}"),
            });
            if expected == 410 {
                // The handler's response has no use for the head.
                response.extensions_mut().insert(DropPanics(Arc::new(Bomb)));
            }
            Ok::<_, BoxError>(response)
        });
        assert_eq!(
            statuses(layer.layer(service)).await,
            vec![Ok(expected); 4],
            "{fault:?}"
        );
    }
    for fault in [Fault::SizeHint, Fault::IsEndStream, Fault::Drop, Fault::Any] {
        check(with_renderer(), fault, 404).await;
        check(with_handler(), fault, 410).await;
    }
}

/// A handler replies with a body that panics; over gRPC the layer reads it.
#[tokio::test]
async fn a_replied_body_that_panics_is_contained() {
    for fault in FAULTS {
        for (status, content_type) in [(404, "text/x"), (404, "text/plain"), (200, "text/x")] {
            let layer = ExceptionLayer::new().on(move |_: Caught<HttpException>| {
                let body = Faulty {
                    fault,
                    text: Some("text"),
                };
                let response = Response::builder().status(status);
                let response = response.header(CONTENT_TYPE, content_type);
                response.body(body).unwrap()
            });
            let service = service_fn(async |_: Request<Incoming>| {
                Err::<Response<Full<Bytes>>, _>(BoxError::from(HttpException::gone("sold out")))
            });
            let server = Server::start(layer.layer(service)).await;
            let head = server.head("/").await;
            assert_eq!(head.status, status, "{fault:?}");
            let mut request = request(Method::POST, "/");
            let grpc = HeaderValue::from_static("application/grpc");
            request.headers_mut().insert(CONTENT_TYPE, grpc);
            let mut client = server.connect(Protocol::Http2).await;
            let received = client.exchange(request).await.unwrap();
            assert!(received.headers.contains_key("grpc-status"), "{received}");
            assert_eq!(server.panics(), 0, "{fault:?}");
        }
    }
}

/// An endless body of empty frames does not occupy the thread.
#[tokio::test]
async fn a_replied_body_of_endless_empty_frames_is_no_grpc_message() {
    let layer = ExceptionLayer::new().on(|_: Caught<HttpException>| {
        let response = Response::builder().status(404);
        let response = response.header(CONTENT_TYPE, "text/plain");
        response.body(endless_empty_frames()).unwrap()
    });
    let service = service_fn(async |_: Request<()>| {
        Err::<Response<Full<Bytes>>, _>(BoxError::from(HttpException::gone("sold out")))
    });
    let request = Request::post("/").header(CONTENT_TYPE, "application/grpc");
    let request = request.body(()).unwrap();
    let response = layer.layer(service).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["grpc-message"], "Not Found");
}

/// A `HEAD` gets the head alone, and the layer drops the body.
#[tokio::test]
async fn a_body_that_panics_under_head_is_contained() {
    for fault in [Fault::SizeHint, Fault::IsEndStream, Fault::Drop, Fault::Any] {
        let service = service_fn(move |_: Request<Incoming>| async move {
            let response: Response<Bytes> = HttpException::not_found("no item").into();
            Ok::<_, BoxError>(response.map(|_| Faulty { fault, text: None }))
        });
        for server in [
            Server::start(ExceptionLayer::new().layer(service)).await,
            Server::start(ExceptionLayer::new().capture_headers().layer(service)).await,
        ] {
            assert_eq!(server.head("/").await.status, 404, "{fault:?}");
            assert_eq!(server.panics(), 0);
        }
    }
}

/// Fails in one phase with an error whose conversion panics.
#[derive(Clone)]
struct Failing(Phase);

impl Service<Request<Incoming>> for Failing {
    type Response = Response<Faulty>;
    type Error = FaultyError;
    type Future = std::future::Ready<Result<Response<Faulty>, FaultyError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FaultyError>> {
        match self.0 {
            Phase::PollReady => Poll::Ready(Err(FaultyError)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Err(FaultyError))
    }
}

#[tokio::test]
async fn the_conversion_of_an_error_that_panics_is_contained() {
    for phase in [Phase::PollReady, Phase::Future] {
        assert_eq!(
            statuses(ExceptionLayer::new().layer(Failing(phase))).await,
            vec![Ok(500); 4]
        );
        let (layer, mut reports) = observed(ExceptionLayer::new());
        assert_eq!(
            statuses(layer.layer(Failing(phase))).await,
            vec![Ok(500); 4]
        );
        for report in reports.take() {
            assert_eq!(
                report,
                format!("Panicked {phase:?} Status(500): panicked: faulty")
            );
        }
    }
}

/// The body is cut short, and the failure is reported.
#[tokio::test]
async fn the_conversion_of_a_bodys_error_that_panics_is_contained() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let service = service_fn(async |_: Request<Incoming>| {
        let body = Faulty {
            fault: Fault::IntoError,
            text: None,
        };
        Ok::<_, BoxError>(Response::new(body))
    });
    for server in [
        Server::start(layer.layer(service)).await,
        Server::start(ExceptionLayer::new().layer(service)).await,
    ] {
        for protocol in PROTOCOLS {
            let mut client = server.connect(protocol).await;
            assert!(client.exchange(request(Method::GET, "/")).await.is_err());
        }
        assert_eq!(server.panics(), 0);
    }
    let reports = reports.take();
    assert_eq!(reports, ["Panicked Body Aborted: panicked: faulty"; 2]);
}

/// A request that a broken service does not take is dropped by the layer.
#[tokio::test]
async fn a_request_to_a_broken_service_whose_drop_panics_is_contained() {
    #[derive(Clone)]
    struct Broken;
    impl Service<Request<DropPanics>> for Broken {
        type Response = Response<Faulty>;
        type Error = fmt::Error;
        type Future = std::future::Ready<Result<Response<Faulty>, fmt::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), fmt::Error>> {
            Poll::Ready(Err(fmt::Error))
        }

        fn call(&mut self, _: Request<DropPanics>) -> Self::Future {
            unreachable!()
        }
    }
    let mut service = ExceptionLayer::new().layer(Broken);
    std::future::poll_fn(|cx| service.poll_ready(cx))
        .await
        .unwrap();
    let response = service
        .call(Request::new(DropPanics(Arc::new(Bomb))))
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
}
