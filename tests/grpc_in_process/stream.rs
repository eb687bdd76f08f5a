//! What is raised in the middle of a stream ends it with a status.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::mpsc::{Receiver, channel},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_exception::{
    Answer, Caught, Custom, ExceptionLayer, GrpcCode, HttpException, Panic, Place,
};

use crate::common::{SECRET, SECRET_TEXT, SecretError, panic_hook_runs};

type HttpRequest = Request<Full<Bytes>>;

/// The ways in which a body fails.
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
    how: Fails,
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
        match self.how {
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

    /// Fails here too, where that is what it does.
    fn is_end_stream(&self) -> bool {
        if matches!(self.how, Fails::Panicking) {
            panic!("{SECRET_TEXT}");
        }
        false
    }

    /// As if it were to end well.
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

/// A service that answers with `data`, as `content_type`, and fails then.
fn failing(
    content_type: &'static str,
    data: &'static [u8],
    how: Fails,
) -> impl Service<HttpRequest, Response = Response<Failing>, Error = Infallible, Future: Send> + Clone
{
    service_fn(move |_: HttpRequest| async move {
        let data = Some(Bytes::from_static(data));
        let response = Response::builder().header(header::CONTENT_TYPE, content_type);
        Ok(response.body(Failing { data, how }).unwrap())
    })
}

/// What came of a response's body: its data, and then its trailers, an error, or nothing.
async fn body_of<S, B>(service: S, content_type: &str) -> (Bytes, String)
where
    S: Service<HttpRequest, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let request = Request::post("/shop.Items/List").header(header::CONTENT_TYPE, content_type);
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
/// The same in base64.
const MESSAGE_TEXT: &[u8] = b"AAAAAANhYmM=";

fn status(how: Fails) -> (&'static str, &'static str) {
    match how {
        Fails::WithException | Fails::Raising | Fails::RaisingAsync => ("out of stock", "14"),
        Fails::WithError | Fails::Panicking => ("Internal Server Error", "13"),
    }
}

fn frame(how: Fails) -> Vec<u8> {
    let (message, code) = status(how);
    let trailers = format!("grpc-message:{message}\r\ngrpc-status:{code}\r\n");
    let mut frame = vec![0x80, 0, 0, 0, u8::try_from(trailers.len()).unwrap()];
    frame.extend_from_slice(trailers.as_bytes());
    frame
}

fn layer() -> ExceptionLayer {
    panic_hook_runs();
    ExceptionLayer::new()
}

fn observed() -> (ExceptionLayer<Custom>, Receiver<(Place, Answer)>) {
    panic_hook_runs();
    let (told, heard) = channel();
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, answer| {
        told.send((caught.place(), answer)).unwrap();
    });
    (layer, heard)
}

#[tokio::test]
async fn grpc_ends_in_trailers() {
    for how in WAYS {
        let (message, code) = status(how);
        let expected = format!("grpc-message: {message} | grpc-status: {code}");
        let plain = layer().layer(failing("application/grpc", MESSAGE, how));
        let (data, end) = body_of(plain, "application/grpc").await;
        assert_eq!((&data[..], &end), (MESSAGE, &expected), "{how:?}");

        let (custom, heard) = observed();
        let custom = custom.layer(failing("application/grpc", MESSAGE, how));
        let (data, end) = body_of(custom, "application/grpc").await;
        assert_eq!((&data[..], &end), (MESSAGE, &expected), "{how:?}");
        let code = GrpcCode::from_number(code.parse().unwrap());
        assert_eq!(
            heard.try_iter().collect::<Vec<_>>(),
            [(Place::Body, Answer::Grpc(code))]
        );
    }
}

#[tokio::test]
async fn grpc_web_ends_in_a_frame() {
    for how in WAYS {
        let service = failing("application/grpc-web+proto", MESSAGE, how);
        let expected = [MESSAGE, &frame(how)].concat();
        let plain = layer().layer(service.clone());
        let (data, end) = body_of(plain, "application/grpc-web+proto").await;
        assert_eq!((&data[..], &*end), (&expected[..], "nothing"), "{how:?}");
        let custom = layer().capture_headers().layer(service);
        let (data, end) = body_of(custom, "application/grpc-web+proto").await;
        assert_eq!((&data[..], &*end), (&expected[..], "nothing"), "{how:?}");
    }
}

#[tokio::test]
async fn grpc_web_text_ends_in_a_frame_in_base64() {
    let how = Fails::Raising;
    // With padding, and without: then it is completed first.
    for sent in [MESSAGE_TEXT, b"AAAAAANhYmM"] {
        let service = layer().layer(failing("application/grpc-web-text+proto", sent, how));
        let (data, _) = body_of(service, "application/grpc-web-text+proto").await;
        let expected = "AAAAAANhYmM=\
                        gAAAACtncnBjLW1lc3NhZ2U6b3V0IG9mIHN0b2NrDQpncnBjLXN0YXR1czoxNA0K";
        assert_eq!(data, expected);
    }
}

/// A `GrpcWebLayer` further in gives what the client accepts, which may be another form than it sent.
#[tokio::test]
async fn the_responses_own_content_type_counts() {
    let how = Fails::Raising;
    let service = layer().layer(failing("application/grpc-web+proto", MESSAGE, how));
    let (data, _) = body_of(service, "application/grpc-web-text").await;
    assert_eq!(&data[..], [MESSAGE, &frame(how)].concat());

    let page = layer().layer(failing("text/html", b"<p>", how));
    assert_eq!(body_of(page, "application/grpc").await.1, "error");
    let to_nobody = layer().layer(failing("application/grpc", MESSAGE, how));
    assert_eq!(body_of(to_nobody, "application/json").await.1, "error");
}

/// A gRPC-Web client would take the trailers for the rest of the message.
#[tokio::test]
async fn half_a_message_ends_in_an_error_over_grpc_web() {
    for (content_type, half) in [
        ("application/grpc-web", &MESSAGE[..7]),
        ("application/grpc-web", &MESSAGE[..2]),
        ("application/grpc-web-text", &MESSAGE_TEXT[..8]),
    ] {
        let (layer, heard) = observed();
        let service = layer.layer(failing(content_type, half, Fails::Raising));
        let (data, end) = body_of(service, content_type).await;
        assert_eq!((&data[..], &*end), (half, "error"));
        let told: Vec<_> = heard.try_iter().collect();
        assert_eq!(told, [(Place::Body, Answer::CutShort)]);
    }
    let service = layer().layer(failing("application/grpc", &MESSAGE[..7], Fails::Raising));
    let (_, end) = body_of(service, "application/grpc").await;
    assert_eq!(end, "grpc-message: out of stock | grpc-status: 14");
}

#[tokio::test]
async fn handlers_apply() {
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
    for (how, expected) in [
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
            .layer(failing("application/grpc", MESSAGE, how));
        assert_eq!(body_of(service, "application/grpc").await.1, expected);
    }
}

/// Else the server would promise a length that the trailers' frame breaks.
#[tokio::test]
async fn no_length_is_promised() {
    for content_type in ["application/grpc", "application/grpc-web"] {
        let service = layer().layer(failing(content_type, MESSAGE, Fails::Raising));
        let request = Request::post("/").header(header::CONTENT_TYPE, content_type);
        let response = service.oneshot(request.body(Full::default()).unwrap());
        assert_eq!(response.await.unwrap().body().size_hint().exact(), None);
    }
}
