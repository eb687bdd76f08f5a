//! Request bodies that the client breaks, and the errors of an upstream, which look alike.

use std::{error::Error, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, BodyStream, Empty, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower::{BoxError, Layer as _, service_fn};
use tower_exception::{Caught, ExceptionLayer, HttpException, Outcome};
use tracing::Level;

use crate::support::{self, Server, log::Log, within};

type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    UnsyncBoxBody::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// Reads the body of the request in the way that the path names, and returns it.
async fn read(request: Request<Incoming>) -> Result<Response<ResponseBody>, BoxError> {
    let path = request.uri().path().to_owned();
    let body = request.into_body();
    let bytes = match &*path {
        "/collect" => body.collect().await?.to_bytes(),
        "/limited" => Limited::new(body, 1 << 20).collect().await?.to_bytes(),
        "/arc" => body.collect().await.map_err(Arc::new)?.to_bytes(),
        "/axum" => axum::body::to_bytes(axum::body::Body::new(body), 1 << 20).await?,
        "/axum/twice" => {
            let inner = axum::body::Body::new(body);
            axum::body::Body::new(Limited::new(inner, 1 << 20))
                .collect()
                .await?
                .to_bytes()
        }
        "/io" => {
            let frames = TryStreamExt::map_err(BodyStream::new(body), io::Error::other);
            let data = frames.try_filter_map(async |frame| Ok(frame.into_data().ok()));
            let mut reader = tokio_util::io::StreamReader::new(Box::pin(data));
            let mut read = Vec::new();
            reader.read_to_end(&mut read).await?;
            read.into()
        }
        "/raised" => match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => HttpException::bad_request("broken").raise(),
        },
        "/echo" => return Ok(Response::new(UnsyncBoxBody::new(body.map_err(Into::into)))),
        path => panic!("{path}"),
    };
    Ok(Response::new(full(bytes)))
}

const READS: [&str; 6] = [
    "/collect",
    "/limited",
    "/arc",
    "/axum",
    "/axum/twice",
    "/io",
];

/// A fault of a client, by the bytes that it sends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    BrokenChunk,
    BrokenTrailer,
    HalfClosed,
    Closed,
    ClosedInChunk,
    Reset,
    Http2Reset,
    Http2GoAway,
    Http2Closed,
    Http2TooLong,
}

const FAULTS: [Fault; 10] = [
    Fault::BrokenChunk,
    Fault::BrokenTrailer,
    Fault::HalfClosed,
    Fault::Closed,
    Fault::ClosedInChunk,
    Fault::Reset,
    Fault::Http2Reset,
    Fault::Http2GoAway,
    Fault::Http2Closed,
    Fault::Http2TooLong,
];

impl Fault {
    fn status(self) -> u16 {
        match self {
            Self::BrokenChunk | Self::BrokenTrailer | Self::Http2TooLong => 400,
            _ => 499,
        }
    }

    /// Sends a request that ends in the fault, and returns the connection unless it is closed.
    async fn commit(self, address: SocketAddr, path: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let is_http2 = format!("{self:?}").starts_with("Http2");
        let head = match self {
            Self::BrokenChunk | Self::BrokenTrailer | Self::ClosedInChunk => {
                "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
            }
            _ => "content-length: 10\r\n\r\nhello",
        };
        if is_http2 {
            stream.write_all(&http2_request(path)).await.unwrap();
        } else {
            let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{head}");
            stream.write_all(request.as_bytes()).await.unwrap();
        }
        // The service has read the first part.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let end: &[u8] = match self {
            Self::BrokenChunk => b"zz\r\n",
            Self::BrokenTrailer => b"0\r\n: no name\r\n\r\n",
            Self::ClosedInChunk => b"5\r\nhe",
            // RST_STREAM with CANCEL, RFC 9113, section 6.4.
            Self::Http2Reset => &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8],
            // GOAWAY with PROTOCOL_ERROR, RFC 9113, section 6.8.
            Self::Http2GoAway => &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            // More than the content length.
            Self::Http2TooLong => b"\0\0\x08\0\x01\0\0\0\x01too long",
            Self::HalfClosed | Self::Closed | Self::Reset | Self::Http2Closed => b"",
        };
        stream.write_all(end).await.unwrap();
        match self {
            Self::HalfClosed => stream.shutdown().await.unwrap(),
            Self::Closed | Self::ClosedInChunk | Self::Http2GoAway | Self::Http2Closed => {
                return None;
            }
            Self::Reset => {
                stream.set_zero_linger().unwrap();
                return None;
            }
            _ => {}
        }
        Some(stream)
    }
}

/// Returns a connection preface, and a `POST` of ten bytes, of which five follow.
fn http2_request(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend(b"\x41\x04test\x0f\x0d\x0210");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
    bytes.extend(block);
    bytes.extend(b"\0\0\x05\0\0\0\0\0\x01hello");
    bytes
}

/// Waits for the only event of `log`, and returns its level and its status.
async fn only_event(log: &Log) -> (Level, Option<String>) {
    within(async {
        while log.events().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let event = log.only_event();
    (
        event.level,
        event.get("http.response.status_code").map(str::to_owned),
    )
}

// D5
#[tokio::test]
async fn a_request_body_that_the_client_breaks_is_a_4xx_and_no_fault_of_the_server() {
    let layer = ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {});
    let servers = [
        Server::start(ExceptionLayer::new().layer(service_fn(read))).await,
        Server::start(layer.layer(service_fn(read))).await,
        Server::start(ExceptionLayer::new().layer(ExceptionLayer::new().layer(service_fn(read))))
            .await,
    ];
    for fault in FAULTS {
        for path in READS {
            for server in &servers {
                let log = Log::start();
                let stream = within(fault.commit(server.address(), path)).await;
                let expected = (Level::DEBUG, Some(fault.status().to_string()));
                assert_eq!(only_event(&log).await, expected, "{fault:?} {path}");
                drop(stream);
            }
        }
    }
}

// D5
#[tokio::test]
async fn a_client_that_still_listens_is_told() {
    let server = Server::start(ExceptionLayer::new().layer(service_fn(read))).await;
    for (fault, expected, detail) in [
        (
            Fault::BrokenChunk,
            "HTTP/1.1 400 Bad Request\r\n",
            "Bad Request",
        ),
        (
            Fault::BrokenTrailer,
            "HTTP/1.1 400 Bad Request\r\n",
            "Bad Request",
        ),
    ] {
        let mut stream = fault.commit(server.address(), "/collect").await.unwrap();
        let mut received = String::new();
        within(stream.read_to_string(&mut received)).await.unwrap();
        assert!(received.starts_with(expected), "{received}");
        assert!(
            received.ends_with(&format!("{{\"detail\":\"{detail}\"}}")),
            "{received}"
        );
    }
}

// D5
#[tokio::test]
async fn a_response_body_that_echoes_a_broken_request_body_is_no_fault_of_the_server() {
    let (layer, mut reports) = support::observed(ExceptionLayer::new());
    let server = Server::start(layer.layer(service_fn(read))).await;
    for fault in [Fault::BrokenChunk, Fault::BrokenTrailer, Fault::HalfClosed] {
        let log = Log::start();
        let _stream = fault.commit(server.address(), "/echo").await;
        let expected = "Returned Body Aborted: error reading a body from connection";
        assert_eq!(reports.next().await, expected, "{fault:?}");
        assert_eq!(only_event(&log).await, (Level::DEBUG, None), "{fault:?}");
    }
    // hyper drops the response body of a stream that was reset, so that nothing fails.
    let log = Log::start();
    let _stream = Fault::Http2Reset.commit(server.address(), "/echo").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    reports.assert_none();
    assert_eq!(log.events().len(), 0);
}

// D5: a handler for everything decides the response, and not the level.
#[tokio::test]
async fn a_handler_of_everything_does_not_make_it_a_fault_of_the_server() {
    let layer =
        ExceptionLayer::new().on_any(|_: Caught| HttpException::internal_server_error("it broke"));
    let server = Server::start(layer.layer(service_fn(read))).await;
    let log = Log::start();
    let _stream = Fault::BrokenChunk
        .commit(server.address(), "/collect")
        .await;
    assert_eq!(
        only_event(&log).await,
        (Level::DEBUG, Some("500".to_owned()))
    );
}

// D5
#[tokio::test]
async fn over_grpc_a_client_that_is_gone_has_cancelled() {
    let (layer, mut reports) = support::observed(ExceptionLayer::new());
    let service = layer.layer(service_fn(read));
    // As a request of gRPC, whatever its content type.
    let service = service_fn(move |mut request: Request<Incoming>| {
        let grpc = http::HeaderValue::from_static("application/grpc");
        request
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, grpc);
        tower::ServiceExt::oneshot(service.clone(), request)
    });
    let server = Server::start(service).await;
    let log = Log::start();
    let _stream = Fault::Http2Reset.commit(server.address(), "/collect").await;
    let expected = "Returned Future Grpc(Cancelled): error reading a body from connection";
    assert_eq!(reports.next().await, expected);
    assert_eq!(log.only_event().level, Level::DEBUG);
}

/// Returns an upstream that answers each request with `bytes` and closes the connection.
async fn upstream(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await.unwrap();
                stream.write_all(bytes).await.unwrap();
                // The client has read what is there.
                tokio::time::sleep(Duration::from_millis(5)).await;
            });
        }
    });
    address
}

/// An error of the application's own around one of an upstream.
#[derive(Debug)]
struct UpstreamError(hyper::Error);

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upstream failed")
    }
}

impl Error for UpstreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Calls the upstream in the way that the path names, and returns its body.
async fn proxy(
    address: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, BoxError> {
    let path = request.uri().path().to_owned();
    let _ = request.into_body().collect().await?;
    let uri = format!("http://{address}/");
    let request = Request::get(uri)
        .header("host", "x")
        .body(Empty::<Bytes>::new())?;
    let response = match &*path {
        "/legacy" | "/legacy/streamed" => {
            let client = legacy::Client::builder(TokioExecutor::new()).build_http();
            client.request(request).await?
        }
        "/http2" => {
            let io = TokioIo::new(TcpStream::connect(address).await?);
            let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            client.send_request(request).await?
        }
        "/database" => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        "/database/eof" => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        _ => {
            let io = TokioIo::new(TcpStream::connect(address).await?);
            let (mut client, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            client.send_request(request).await?
        }
    };
    if path.ends_with("/streamed") {
        return Ok(Response::new(UnsyncBoxBody::new(
            response.into_body().map_err(Into::into),
        )));
    }
    let body = response.into_body().collect().await;
    if path.ends_with("/wrapped") {
        return Ok(Response::new(full(body.map_err(UpstreamError)?.to_bytes())));
    }
    Ok(Response::new(full(body?.to_bytes())))
}

/// Answers that fail before the body of the response.
const BROKEN_HEADS: [&[u8]; 4] = [
    b"",
    b"HTTP/1.1 2",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 200\r\n: x\r\n\r\n",
];

/// Answers that fail within the body of the response.
const BROKEN_BODIES: [&[u8]; 3] = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
];

async fn assert_fault_of_the_server(address: SocketAddr, method: Method, path: &str) {
    let service = service_fn(move |request| proxy(address, request));
    let layer = ExceptionLayer::new().observe(|_: &Caught, _: Outcome| {});
    for server in [
        Server::start(ExceptionLayer::new().layer(service)).await,
        Server::start(layer.layer(service)).await,
    ] {
        let log = Log::start();
        let received = server.send(support::request(method.clone(), path)).await;
        received.assert_default_500();
        let expected = (Level::ERROR, Some("500".to_owned()));
        assert_eq!(only_event(&log).await, expected, "{method} {path}");
    }
}

// D5
#[tokio::test]
async fn an_upstream_that_fails_is_a_fault_of_the_server() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    for method in [Method::GET, Method::POST] {
        for path in ["/http1", "/legacy", "/http2", "/database", "/database/eof"] {
            assert_fault_of_the_server(refused, method.clone(), path).await;
        }
        for answer in BROKEN_HEADS {
            let address = upstream(answer).await;
            for path in ["/http1", "/legacy", "/http2"] {
                assert_fault_of_the_server(address, method.clone(), path).await;
            }
        }
    }
}

// D5
#[tokio::test]
async fn the_body_of_an_upstream_that_breaks_is_a_fault_of_the_server() {
    for answer in BROKEN_BODIES {
        let address = upstream(answer).await;
        for path in ["/http1", "/legacy", "/http1/wrapped"] {
            assert_fault_of_the_server(address, Method::GET, path).await;
        }
        // A request with a body: the error has to say whose it is.
        assert_fault_of_the_server(address, Method::POST, "/http1/wrapped").await;
    }
}

// D5
#[tokio::test]
async fn a_streamed_body_of_an_upstream_that_breaks_is_a_fault_of_the_server() {
    let (layer, mut reports) = support::observed(ExceptionLayer::new());
    let address = upstream(BROKEN_BODIES[1]).await;
    let service = service_fn(move |request| proxy(address, request));
    let server = Server::start(layer.layer(service)).await;
    for path in ["/http1/streamed", "/legacy/streamed"] {
        let log = Log::start();
        assert!(server.get(path).await.aborted);
        assert_eq!(reports.next().await.outcome, Outcome::Aborted);
        assert_eq!(only_event(&log).await, (Level::ERROR, None), "{path}");
    }
}
