//! gRPC bodies that end early, and statuses that are longer than clients accept.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, stream as streams};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_TYPE, LINK, TE, TRAILER},
};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::yield_now,
};
use tonic::{Code, Status, body::Body, metadata::MetadataMap};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer as _, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use crate::{
    grpc::{call, call_stream, stream, unary},
    support::{Protocol, Received, Reports, Server, observed, request, within},
};

/// The way in which a stream fails after its first message.
#[derive(Clone, Copy, Debug)]
enum Fails {
    Raising,
    RaisingAsync,
    Panicking,
}

const FAILS: [Fails; 3] = [Fails::Raising, Fails::RaisingAsync, Fails::Panicking];

fn first_then(fails: Fails) -> impl Stream<Item = Result<String, Status>> + Send + 'static {
    streams::unfold(0, move |sent| async move {
        if sent == 0 {
            return Some((Ok("first".to_owned()), 1));
        }
        // The server sends the first message before the failure.
        for _ in 0..3 {
            yield_now().await;
        }
        match fails {
            Fails::Raising => HttpException::not_found("no second").raise(),
            Fails::RaisingAsync => HttpException::not_found("no second").raise_async().await,
            Fails::Panicking => panic!("no second"),
        }
    })
}

/// The first message: a prefix, and the text as field 1.
const FIRST: &[u8] = b"\0\0\0\0\x07\x0a\x05first";

/// Serves the stream. `announces` says whether the head of its response names its trailers.
async fn serve(fails: Fails, announces: bool, is_nested: bool) -> (Server, Reports) {
    let service = service_fn(move |request: Request<Incoming>| async move {
        let mut response = stream(request, first_then(fails)).await;
        if announces {
            let names = HeaderValue::from_static("grpc-status, grpc-message");
            response.headers_mut().insert(TRAILER, names);
        }
        Ok::<_, Infallible>(response)
    });
    let (layer, reports) = observed(ExceptionLayer::new());
    let server = if is_nested {
        Server::start(ExceptionLayer::new().layer(layer.layer(service))).await
    } else {
        Server::start(layer.layer(service)).await
    };
    (server, reports)
}

fn post(te: Option<&'static str>, content_type: &'static str) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, "/shop.Shop/List");
    *request.body_mut() = Full::from(&b"\0\0\0\0\0"[..]);
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(te) = te {
        headers.insert(TE, HeaderValue::from_static(te));
    }
    request
}

// C1
#[tokio::test]
async fn a_grpc_stream_that_fails_over_http_1_does_not_look_whole() {
    for fails in FAILS {
        for (te, announces, is_nested) in [
            (None, false, false),
            (Some("trailers"), false, false),
            (Some("trailers"), false, true),
            (None, true, false),
            (Some("gzip"), true, true),
        ] {
            let (server, mut reports) = serve(fails, announces, is_nested).await;
            let received = server.send(post(te, "application/grpc")).await;
            assert!(received.aborted, "{fails:?} {te:?} {received:?}");
            assert_eq!(received.body, FIRST);
            assert!(received.trailers.is_none());
            let report = reports.next().await.to_string();
            assert!(report.contains("Body Aborted"), "{report}");
            reports.assert_none();
        }
    }
}

// C1: hyper sends the trailers, so that the status arrives.
#[tokio::test]
async fn a_grpc_stream_ends_with_a_status_over_http_1_if_the_server_sends_trailers() {
    for fails in FAILS {
        let (server, mut reports) = serve(fails, true, false).await;
        let received = server
            .send(post(Some("trailers"), "application/grpc"))
            .await;
        assert!(!received.aborted, "{received:?}");
        assert_eq!(received.body, FIRST);
        let status = Status::from_header_map(received.trailers.as_ref().unwrap()).unwrap();
        let report = reports.next().await.to_string();
        let (code, message, outcome) = match fails {
            Fails::Panicking => (Code::Internal, "Internal Server Error", "Grpc(Internal)"),
            _ => (Code::NotFound, "no second", "Grpc(NotFound)"),
        };
        assert_eq!((status.code(), status.message()), (code, message));
        assert!(report.contains(outcome), "{report}");
    }
}

// C1
#[tokio::test]
async fn a_layer_without_configuration_cuts_a_grpc_stream_over_http_1_too() {
    for fails in FAILS {
        let service = service_fn(move |request: Request<Incoming>| {
            stream(request, first_then(fails)).map(Ok::<_, Infallible>)
        });
        let server = Server::start(ExceptionLayer::new().layer(service)).await;
        let received = server
            .send(post(Some("trailers"), "application/grpc"))
            .await;
        assert!(received.aborted, "{fails:?} {received:?}");
        let (messages, status) = call_stream(server.address()).await;
        assert_eq!(messages, ["first"], "over HTTP/2");
        let code = match fails {
            Fails::Panicking => Code::Internal,
            _ => Code::NotFound,
        };
        assert_eq!(status.unwrap().code(), code);
    }
}

// C1: tonic writes the status of the stream into trailers that hyper drops.
#[tokio::test]
async fn the_status_of_a_tonic_stream_over_http_1_does_not_look_whole() {
    let messages = || {
        streams::unfold(0, async |sent| {
            // The server sends the head and the first message before the failure.
            yield_now().await;
            yield_now().await;
            let failed = Status::not_found("no second");
            match sent {
                0 => Some((Ok("first".to_owned()), 1)),
                1 => Some((Err(failed), 2)),
                _ => None,
            }
        })
    };
    let complete = || streams::iter([Ok("first".to_owned())]);
    let service = service_fn(move |request: Request<Incoming>| async move {
        let fails = request.uri().path() != "/whole";
        let mut response = match fails {
            true => stream(request, messages()).await,
            false => stream(request, complete()).await,
        };
        let names = HeaderValue::from_static("grpc-status, grpc-message");
        response.headers_mut().insert(TRAILER, names);
        Ok::<_, Infallible>(response)
    });
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start(layer.layer(service)).await;
    let received = server.send(post(None, "application/grpc")).await;
    assert!(received.aborted, "{received:?}");
    assert_eq!(received.body, FIRST);
    let report = reports.next().await;
    assert_eq!(report, "Returned Body Aborted: 404: no second");
    // hyper sends the trailers to a client that accepts them.
    let received = server
        .send(post(Some("trailers"), "application/grpc"))
        .await;
    assert!(!received.aborted, "{received:?}");
    assert_eq!(status_of(&received).code(), Code::NotFound);
    let report = reports.next().await;
    assert_eq!(report, "Attached Body Grpc(NotFound): 404: no second");
    // A stream that does not fail stays as it is.
    let mut request = post(None, "application/grpc");
    *request.uri_mut() = "/whole".parse().unwrap();
    let received = server.send(request).await;
    assert!(!received.aborted, "{received:?}");
    assert_eq!(received.body, FIRST);
    reports.assert_none();
}

// C1: HTTP/1.0 ends a body with the connection, so the client cannot tell. The report can.
#[tokio::test]
async fn a_grpc_stream_over_http_1_0_is_reported_as_aborted() {
    let (server, mut reports) = serve(Fails::RaisingAsync, true, false).await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let request = b"POST /shop.Shop/List HTTP/1.0\r\ncontent-type: application/grpc\r\n\
        te: trailers\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0";
    socket.write_all(request).await.unwrap();
    let mut received = Vec::new();
    let _ = within(socket.read_to_end(&mut received)).await;
    assert!(received.ends_with(FIRST), "{}", received.escape_ascii());
    let report = reports.next().await;
    assert_eq!(report, "RaisedAsync Body Aborted: 404: no second");
}

// C1: before the first message the status is in the head, over every version.
#[tokio::test]
async fn a_grpc_call_that_fails_at_once_has_its_status_over_http_1() {
    let service = service_fn(async |_: Request<Incoming>| {
        Err::<Response<Body>, _>(HttpException::not_found("nothing"))
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let received = server.send(post(None, "application/grpc+proto")).await;
    let expected = "200 | content-length: 0 | content-type: application/grpc+proto | grpc-message: nothing | grpc-status: 5";
    assert_eq!(received.to_string(), expected);
    assert!(!received.aborted);
}

// C1: gRPC-Web has its status in a frame of the body.
#[tokio::test]
async fn a_grpc_web_stream_that_fails_over_http_1_ends_with_a_frame() {
    let service = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(messages(first_then(Fails::RaisingAsync)))
    });
    let service = GrpcWebLayer::new().layer(service);
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = Server::start(layer.layer(service)).await;
    let received = server.send(post(None, "application/grpc-web")).await;
    assert!(!received.aborted);
    let frame = &b"grpc-message:no second\r\ngrpc-status:5\r\n"[..];
    assert!(received.body.starts_with(FIRST), "{received:?}");
    assert!(received.body.ends_with(frame), "{received:?}");
    let report = reports.next().await;
    assert_eq!(report, "RaisedAsync Body Grpc(NotFound): 404: no second");
}

/// Returns a response with these messages, as tonic encodes them.
fn messages<S>(messages: S) -> Response<Body>
where
    S: Stream<Item = Result<String, Status>> + Send + 'static,
{
    let body = tonic::codec::EncodeBody::new_server(
        tonic_prost::ProstEncoder::<String>::default(),
        messages,
        None,
        tonic::codec::SingleMessageCompressionOverride::default(),
        None,
    );
    let response = Response::builder().header(CONTENT_TYPE, "application/grpc");
    response.body(Body::new(body)).unwrap()
}

/// Returns the response as a client of HTTP/2 receives it that accepts 8 KiB of headers.
async fn over_http_2(server: &Server) -> Received {
    use hyper::client::conn::http2;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(8 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = post(Some("trailers"), "application/grpc");
    *request.uri_mut() = "http://test/shop.Shop/List".parse().unwrap();
    *request.version_mut() = Version::HTTP_2;
    let response = within(sender.send_request(request)).await.unwrap();
    Received::read(response).await.0
}

fn status_of(received: &Received) -> Status {
    let headers = received.trailers.as_ref().unwrap_or(&received.headers);
    Status::from_header_map(headers).unwrap()
}

fn long_status() -> Status {
    Status::not_found("n".repeat(20_000))
}

fn status_with_details() -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-small", "small".parse().unwrap());
    metadata.insert("x-long", "v".repeat(4_096).parse().unwrap());
    let details = Bytes::from(vec![7; 3_000]);
    Status::with_details_and_metadata(Code::NotFound, "n".repeat(2_000), details, metadata)
}

fn long_exception() -> HttpException {
    HttpException::not_found("n".repeat(7_000))
        .try_with_header("x-long", "v".repeat(4_096))
        .unwrap()
        .try_with_header("x-small", "small")
        .unwrap()
}

type Fail = fn() -> Result<Status, BoxError>;

/// Returned by tonic's handler, or as an error of the service.
const LONG: [(&str, Fail); 7] = [
    ("handler, long message", || Ok(long_status())),
    (
        "handler, details and metadata",
        || Ok(status_with_details()),
    ),
    ("handler, exception by ?", || Ok(long_exception().into())),
    ("error, long message", || Err(long_status().into())),
    ("error, details and metadata", || {
        Err(status_with_details().into())
    }),
    ("error, exception", || Err(long_exception().into())),
    ("error, exception of a status", || {
        Err(HttpException::from(status_with_details()).into())
    }),
];

// C7
#[tokio::test]
async fn a_long_status_arrives_at_clients_with_the_usual_limit() {
    for (case, fail) in LONG {
        let service = service_fn(move |request: Request<Incoming>| async move {
            let status = fail()?;
            let response = unary(request, async move { Err(status) }).await;
            Ok::<_, BoxError>(response)
        });
        let (layer, _reports) = observed(ExceptionLayer::new());
        for server in [
            Server::start(ExceptionLayer::new().layer(service)).await,
            Server::start(layer.layer(service)).await,
        ] {
            let received = over_http_2(&server).await;
            let status = status_of(&received);
            assert_eq!(status.code(), Code::NotFound, "{case}");
            assert!(status.message().starts_with("nnnn"), "{case}");
            assert!(
                received.header("x-long").is_none() || case.contains("details"),
                "{case}"
            );
            if case.contains("details") || case.contains("of a status") {
                // Message and details are whole. The long metadata does not fit beside them.
                assert_eq!(status.message().len(), 2_000, "{case}");
                assert_eq!(status.details(), [7; 3_000], "{case}");
                assert!(received.header("x-long").is_none(), "{case}");
                assert_eq!(received.header("x-small"), Some("small"), "{case}");
            } else if case.contains("exception") {
                assert_eq!(status.message().len(), 7_000, "{case}");
                assert_eq!(received.header("x-small"), Some("small"), "{case}");
            } else {
                assert!(status.message().ends_with("n..."), "{case}");
                assert!(status.message().len() > 7_000, "{case}");
            }
            // tonic's own client.
            let status = within(call(server.address())).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{case}: {status:?}");
        }
    }
}

// C7
#[tokio::test]
async fn a_long_exception_in_the_middle_of_a_stream_arrives() {
    let fails: [fn() -> HttpException; 3] = [
        long_exception,
        || long_status().into(),
        || status_with_details().into(),
    ];
    for exception in fails {
        let service = service_fn(move |request: Request<Incoming>| async move {
            let messages = streams::unfold(0, move |sent| async move {
                if sent == 0 {
                    return Some((Ok("first".to_owned()), 1));
                }
                yield_now().await;
                exception().raise_async().await
            });
            Ok::<_, Infallible>(stream(request, messages).await)
        });
        let server = Server::start(ExceptionLayer::new().layer(service)).await;
        let received = over_http_2(&server).await;
        assert!(!received.aborted, "{received:?}");
        assert_eq!(received.body, FIRST);
        let status = status_of(&received);
        assert_eq!(status.code(), Code::NotFound);
        assert!(status.message().starts_with("nnnn"), "{status:?}");
    }
}

// C7
#[tokio::test]
async fn an_adopted_response_with_long_links_arrives() {
    let service = service_fn(async |_: Request<Incoming>| {
        let response = Response::builder()
            .status(StatusCode::TOO_MANY_REQUESTS)
            .header(CONTENT_TYPE, "text/plain")
            .header("retry-after", "3")
            .header(LINK, "l".repeat(9 * 1024));
        Ok::<_, Infallible>(response.body(Full::<Bytes>::from("slow down")).unwrap())
    });
    let layer = ExceptionLayer::new().adopt_error_responses();
    let server = Server::start(layer.layer(service)).await;
    let received = over_http_2(&server).await;
    let status = status_of(&received);
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "slow down")
    );
    assert!(received.header("link").is_none());
    assert_eq!(received.header("grpc-retry-pushback-ms"), Some("3000"));
}

// C7: a handler replies with a response that tonic has made.
#[tokio::test]
async fn a_long_status_that_a_handler_replies_arrives() {
    let service = service_fn(async |_: Request<Incoming>| {
        Err::<Response<Full<Bytes>>, _>(HttpException::not_found("x"))
    });
    let layer = ExceptionLayer::new()
        .on_any(|_: tower_exception::Caught| long_status().into_http::<Full<Bytes>>());
    let server = Server::start(layer.layer(service)).await;
    let received = over_http_2(&server).await;
    let status = status_of(&received);
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().ends_with("n..."), "{status:?}");
    let mut client = server.connect(Protocol::Http2).await;
    assert!(client.get("/").await.contains("nnnn"));
}
