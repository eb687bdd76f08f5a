//! Failures in the middle of a stream, which end it with a status.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, GrpcCode, HttpException, Outcome, Panic, Phase, config::Configured,
};

use crate::support::{Reports, SECRET, SECRET_TEXT, SecretError, observed, panic_hook_runs};

type HttpRequest = Request<Full<Bytes>>;

/// The way in which a body fails.
#[derive(Clone, Copy, Debug)]
enum Fails {
    WithException,
    Raising,
    RaisingAsync,
    WithError,
    Panicking,
}

/// A body that sends some data and then fails.
struct Failing {
    data: Option<Bytes>,
    fails: Fails,
}

impl Body for Failing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let exception = HttpException::service_unavailable("out of stock");
        match self.fails {
            Fails::WithException => Poll::Ready(Some(Err(exception.into()))),
            Fails::Raising => exception.raise(),
            Fails::RaisingAsync => {
                let raise = pin!(exception.raise_async::<Option<_>>());
                raise.poll(cx)
            }
            Fails::WithError => Poll::Ready(Some(Err(SecretError.into()))),
            Fails::Panicking => panic!("{SECRET_TEXT}"),
        }
    }

    /// Panics here too, if it is to panic.
    fn is_end_stream(&self) -> bool {
        if matches!(self.fails, Fails::Panicking) {
            panic!("{SECRET_TEXT}");
        }
        false
    }

    /// Announces a length that the body does not reach.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(1000)
    }
}

const WAYS: [Fails; 5] = [
    Fails::WithException,
    Fails::Raising,
    Fails::RaisingAsync,
    Fails::WithError,
    Fails::Panicking,
];

/// Returns a service that responds with `data` of this content type, and then fails.
fn failing(
    content_type: &'static str,
    data: &'static [u8],
    fails: Fails,
) -> impl Service<HttpRequest, Response = Response<Failing>, Error = Infallible, Future: Send> + Clone
{
    service_fn(move |_: HttpRequest| async move {
        let data = Some(Bytes::from_static(data));
        let response = Response::builder().header(header::CONTENT_TYPE, content_type);
        Ok(response.body(Failing { data, fails }).unwrap())
    })
}

/// Returns the data of a response's body, and its end: trailers, an error, or nothing.
async fn body_of<S, B>(service: S, content_type: &str) -> (Bytes, String)
where
    S: Service<HttpRequest, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let request = Request::post("/shop.Items/List")
        .version(Version::HTTP_2)
        .header(header::CONTENT_TYPE, content_type);
    let response = service.oneshot(request.body(Full::default()).unwrap());
    let mut body: UnsyncBoxBody<_, _> = response.await.unwrap().into_body().boxed_unsync();
    let mut data = Vec::new();
    let end = loop {
        if body.is_end_stream() {
            break "nothing".to_owned();
        }
        match body.frame().await {
            None => break "nothing".to_owned(),
            Some(Err(_)) => break "error".to_owned(),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => data.extend_from_slice(&piece),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    let mut lines: Vec<_> = trailers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                        .collect();
                    lines.sort();
                    assert!(body.is_end_stream());
                    break lines.join(" | ");
                }
            },
        }
    };
    assert!(!String::from_utf8_lossy(&data).contains(SECRET));
    assert!(!end.contains(SECRET));
    (data.into(), end)
}

/// A message of three bytes.
const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";
/// [`MESSAGE`] in base64.
const MESSAGE_TEXT: &[u8] = b"AAAAAANhYmM=";

fn status(fails: Fails) -> (&'static str, &'static str) {
    match fails {
        Fails::WithException | Fails::Raising | Fails::RaisingAsync => ("out of stock", "14"),
        Fails::WithError | Fails::Panicking => ("Internal Server Error", "13"),
    }
}

fn frame(fails: Fails) -> Vec<u8> {
    let (message, code) = status(fails);
    let trailers = format!("grpc-message:{message}\r\ngrpc-status:{code}\r\n");
    let mut frame = vec![0x80, 0, 0, 0, u8::try_from(trailers.len()).unwrap()];
    frame.extend_from_slice(trailers.as_bytes());
    frame
}

fn layer() -> ExceptionLayer {
    panic_hook_runs();
    ExceptionLayer::new()
}

fn observed_layer() -> (ExceptionLayer<Configured>, Reports) {
    panic_hook_runs();
    observed(ExceptionLayer::new())
}

/// Takes all reports so far, without the failure and its mechanism.
fn outcomes(reports: &mut Reports) -> Vec<(Phase, Outcome)> {
    let reports = reports.take().into_iter();
    reports
        .map(|report| (report.phase, report.outcome))
        .collect()
}

#[tokio::test]
async fn a_grpc_stream_ends_in_trailers() {
    for fails in WAYS {
        let (message, code) = status(fails);
        let expected = format!("grpc-message: {message} | grpc-status: {code}");
        let plain = layer().layer(failing("application/grpc", MESSAGE, fails));
        let (data, end) = body_of(plain, "application/grpc").await;
        assert_eq!((&data[..], &end), (MESSAGE, &expected), "{fails:?}");

        let (custom, mut reports) = observed_layer();
        let custom = custom.layer(failing("application/grpc", MESSAGE, fails));
        let (data, end) = body_of(custom, "application/grpc").await;
        assert_eq!((&data[..], &end), (MESSAGE, &expected), "{fails:?}");
        let code = GrpcCode::from_i32(code.parse().unwrap());
        assert_eq!(outcomes(&mut reports), [(Phase::Body, Outcome::Grpc(code))]);
    }
}

#[tokio::test]
async fn a_grpc_web_stream_ends_in_a_trailer_frame() {
    for fails in WAYS {
        let service = failing("application/grpc-web+proto", MESSAGE, fails);
        let expected = [MESSAGE, &frame(fails)].concat();
        let plain = layer().layer(service.clone());
        let (data, end) = body_of(plain, "application/grpc-web+proto").await;
        assert_eq!((&data[..], &*end), (&expected[..], "nothing"), "{fails:?}");
        let custom = layer().capture_headers().layer(service);
        let (data, end) = body_of(custom, "application/grpc-web+proto").await;
        assert_eq!((&data[..], &*end), (&expected[..], "nothing"), "{fails:?}");
    }
}

#[tokio::test]
async fn a_grpc_web_text_stream_ends_in_a_trailer_frame_in_base64() {
    let fails = Fails::Raising;
    // With padding, and without. The layer completes missing padding first.
    for sent in [MESSAGE_TEXT, b"AAAAAANhYmM"] {
        let service = layer().layer(failing("application/grpc-web-text+proto", sent, fails));
        let (data, _) = body_of(service, "application/grpc-web-text+proto").await;
        let expected = "AAAAAANhYmM=\
                        gAAAACtncnBjLW1lc3NhZ2U6b3V0IG9mIHN0b2NrDQpncnBjLXN0YXR1czoxNA0K";
        assert_eq!(data, expected);
    }
}

/// An inner `GrpcWebLayer` responds in the form that the client accepts, which may differ from the
/// form of the request.
#[tokio::test]
async fn the_content_type_of_the_response_decides() {
    let fails = Fails::Raising;
    let service = layer().layer(failing("application/grpc-web+proto", MESSAGE, fails));
    let (data, _) = body_of(service, "application/grpc-web-text").await;
    assert_eq!(&data[..], [MESSAGE, &frame(fails)].concat());

    let page = layer().layer(failing("text/html", b"<p>", fails));
    assert_eq!(body_of(page, "application/grpc").await.1, "error");
    let to_json_client = layer().layer(failing("application/grpc", MESSAGE, fails));
    assert_eq!(body_of(to_json_client, "application/json").await.1, "error");
}

/// A gRPC-Web client would take the trailer frame for the rest of the message.
#[tokio::test]
async fn an_incomplete_message_ends_in_an_error_over_grpc_web() {
    for (content_type, half) in [
        ("application/grpc-web", &MESSAGE[..7]),
        ("application/grpc-web", &MESSAGE[..2]),
        ("application/grpc-web-text", &MESSAGE_TEXT[..8]),
    ] {
        let (layer, mut reports) = observed_layer();
        let service = layer.layer(failing(content_type, half, Fails::Raising));
        let (data, end) = body_of(service, content_type).await;
        assert_eq!((&data[..], &*end), (half, "error"));
        assert_eq!(outcomes(&mut reports), [(Phase::Body, Outcome::Aborted)]);
    }
    let service = layer().layer(failing("application/grpc", &MESSAGE[..7], Fails::Raising));
    let (_, end) = body_of(service, "application/grpc").await;
    assert_eq!(end, "grpc-message: out of stock | grpc-status: 14");
}

#[tokio::test]
async fn handlers_apply_in_the_middle_of_a_stream() {
    panic_hook_runs();
    let layer = ExceptionLayer::new()
        .on(|_: Caught<SecretError>| HttpException::gone("sold out"))
        .on(async |_: Caught<Panic>| {
            tokio::task::yield_now().await;
            StatusCode::TOO_MANY_REQUESTS
        })
        .on_status(
            StatusCode::SERVICE_UNAVAILABLE,
            |_: Caught<HttpException>| {
                Response::builder()
                    .status(StatusCode::FORBIDDEN)
                    .header("x-shelf", "7")
                    .header(header::CONTENT_TYPE, "text/plain")
                    .body(Full::new(Bytes::from_static(b"not for you")))
                    .unwrap()
            },
        );
    for (fails, expected) in [
        (Fails::WithError, "grpc-message: sold out | grpc-status: 5"),
        (
            Fails::Panicking,
            "grpc-message: Too Many Requests | grpc-status: 8",
        ),
        (
            Fails::Raising,
            "grpc-message: not for you | grpc-status: 7 | x-shelf: 7",
        ),
    ] {
        let service = layer
            .clone()
            .layer(failing("application/grpc", MESSAGE, fails));
        assert_eq!(body_of(service, "application/grpc").await.1, expected);
    }
}

/// Otherwise the server would announce a length that the trailer frame exceeds.
#[tokio::test]
async fn no_length_is_announced() {
    for content_type in ["application/grpc", "application/grpc-web"] {
        let service = layer().layer(failing(content_type, MESSAGE, Fails::Raising));
        let request = Request::post("/")
            .version(Version::HTTP_2)
            .header(header::CONTENT_TYPE, content_type);
        let response = service.oneshot(request.body(Full::default()).unwrap());
        assert_eq!(response.await.unwrap().body().size_hint().exact(), None);
    }
}
