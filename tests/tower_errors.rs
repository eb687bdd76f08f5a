//! Errors of tower, tokio and tower-http that have a status without a handler.

mod support;

use std::{
    future::{pending, ready},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};
use tower::{Layer, Service, ServiceBuilder, buffer::Buffer, service_fn, timeout::error::Elapsed};
use tower_exception::{Caught, ExceptionLayer, HttpException, ServiceBuilderExt as _};
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutBody};

use support::{BoxError, Outer, Received, Server, within};

type Body = Full<Bytes>;

const SOON: Duration = Duration::from_millis(20);

/// Returns the response if the service's future returns the error of `fail`.
async fn response_to<F>(fail: fn() -> F) -> Received
where
    F: Future<Output = BoxError> + Send + 'static,
{
    let service =
        service_fn(
            move |_: Request<Incoming>| async move { Err::<Response<Body>, _>(fail().await) },
        );
    Server::start(ExceptionLayer::new().layer(service))
        .await
        .get("/")
        .await
}

#[tokio::test]
async fn in_axum_no_type_annotation_is_needed() {
    let arrived = Arc::new(Notify::new());
    let busy = {
        let arrived = Arc::clone(&arrived);
        move || async move {
            arrived.notify_one();
            pending::<&'static str>().await
        }
    };
    let app = Router::new()
        .route("/busy", get(busy))
        .route("/quick", get(async || "quick"))
        .layer(
            ServiceBuilder::new()
                .layer(ExceptionLayer::new())
                .load_shed()
                .concurrency_limit(1)
                .timeout(Duration::from_millis(500)),
        )
        // `axum::serve` does this too. Otherwise each request gets its own layers, and its own
        // limit.
        .with_state(());
    let server = Arc::new(Server::start(app).await);
    assert_eq!(server.get("/quick").await.text(), "quick");

    let first = Arc::clone(&server);
    let first = tokio::spawn(async move { first.get("/busy").await });
    within(arrived.notified()).await;
    let second = server.get("/busy").await;
    second.assert_detail(503, "Service Unavailable");
    assert_eq!(second.header("retry-after"), Some("1"));

    let first = first.await.unwrap();
    first.assert_detail(504, "Gateway Timeout");
    assert_eq!(first.header("retry-after"), None);
}

#[tokio::test]
async fn in_axum_catch_exceptions_adds_the_layer() {
    let app = Router::new()
        .route("/busy", get(pending::<&'static str>))
        .layer(ServiceBuilder::new().catch_exceptions().timeout(SOON));
    let server = Server::start(app).await;
    let received = server.get("/busy").await;
    received.assert_detail(504, "Gateway Timeout");
}

/// A service that is pending forever, for tonic to serve.
#[derive(Clone)]
struct Busy;

impl tonic::server::NamedService for Busy {
    const NAME: &'static str = "busy.Busy";
}

impl Service<Request<tonic::body::Body>> for Busy {
    type Response = Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = std::pin::Pin<
        Box<dyn Future<Output = Result<Self::Response, std::convert::Infallible>> + Send>,
    >;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(pending())
    }
}

#[tokio::test]
async fn in_tonic_no_type_annotation_is_needed() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .layer(
            ServiceBuilder::new()
                .layer(ExceptionLayer::new())
                .load_shed()
                .concurrency_limit(1)
                .timeout(SOON),
        )
        .add_service(Busy)
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    tokio::spawn(server);

    let received = within(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("http://{address}/busy.Busy/Wait"));
        let request = request.body(Body::default()).unwrap();
        sender.send_request(request).await.unwrap()
    });
    assert_eq!(received.await.status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn elapsed_of_tower_is_a_504() {
    let received = response_to(|| ready(Elapsed::new().into())).await;
    received.assert_detail(504, "Gateway Timeout");
    assert_eq!(received.header("retry-after"), None);
}

#[tokio::test]
async fn elapsed_of_tokio_is_a_504() {
    let fail = || async { timeout(SOON, pending::<()>()).await.unwrap_err().into() };
    let received = response_to(fail).await;
    received.assert_detail(504, "Gateway Timeout");
}

#[tokio::test]
async fn overloaded_is_a_503_with_retry_after() {
    let fail = || ready(tower::load_shed::error::Overloaded::new().into());
    let received = response_to(fail).await;
    received.assert_detail(503, "Service Unavailable");
    assert_eq!(received.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_closed_buffer_is_a_503() {
    let service =
        service_fn(async |_: Request<Incoming>| Ok::<_, BoxError>(Response::new(Body::default())));
    let (buffer, worker) = Buffer::pair(service, 1);
    drop(worker);
    let server = Server::start(ExceptionLayer::new().layer(buffer)).await;
    let received = server.get("/").await;
    received.assert_detail(503, "Service Unavailable");
    assert_eq!(received.header("retry-after"), None);
}

#[tokio::test]
async fn a_buffer_passes_the_exception_of_its_service_on() {
    /// A service whose `poll_ready` fails with an exception, which ends the buffer's worker.
    struct Down;
    impl Service<Request<Incoming>> for Down {
        type Response = Response<Body>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Response<Body>, BoxError>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(Err(HttpException::bad_gateway("down").into()))
        }

        fn call(&mut self, _: Request<Incoming>) -> Self::Future {
            panic!("a service that was not ready was called")
        }
    }
    let service = ServiceBuilder::new().catch_exceptions().buffer(1);
    let server = Server::start(service.service(Down)).await;
    for _ in 0..2 {
        let received = server.get("/").await;
        received.assert_detail(502, "down");
    }
}

#[tokio::test]
async fn a_request_body_over_its_limit_is_a_413() {
    let service = service_fn(async |request: Request<Incoming>| {
        let body = Limited::new(request.into_body(), 4).collect().await?;
        Ok::<_, BoxError>(Response::new(Body::from(body.to_bytes())))
    });
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let post = |body: &'static str| {
        let request = support::request(http::Method::POST, "/");
        server.send(request.map(|_| Full::from(body)))
    };
    assert_eq!(post("1234").await.text(), "1234");
    post("12345").await.assert_detail(413, "Payload Too Large");
}

#[tokio::test]
async fn a_request_body_that_times_out_is_a_408() {
    async fn echo(request: Request<TimeoutBody<Incoming>>) -> Result<Response<Body>, BoxError> {
        let body = request.into_body().collect().await?;
        Ok(Response::new(Body::from(body.to_bytes())))
    }
    let service = ServiceBuilder::new()
        .catch_exceptions()
        .layer(RequestBodyTimeoutLayer::new(SOON))
        .service_fn(echo);
    let server = Server::start(service).await;
    let received = within(async {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhalf";
        stream.write_all(head).await.unwrap();
        let mut received = vec![0; 1024];
        let length = stream.read(&mut received).await.unwrap();
        String::from_utf8_lossy(&received[..length]).into_owned()
    });
    let received = received.await;
    assert!(
        received.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{received}"
    );
    assert!(
        received.ends_with(r#"{"detail":"Request Timeout"}"#),
        "{received}"
    );
}

#[tokio::test]
async fn a_known_error_may_be_the_source_of_another_error() {
    let fail = || ready(Outer::of(Elapsed::new()).into());
    let received = response_to(fail).await;
    received.assert_detail(504, "Gateway Timeout");
}

#[tokio::test]
async fn an_exception_outside_of_a_known_error_wins() {
    let fail = || {
        ready(
            HttpException::gone("sold out")
                .with_source(Elapsed::new())
                .into(),
        )
    };
    let received = response_to(fail).await;
    received.assert_detail(410, "sold out");
}

#[tokio::test]
async fn a_handler_comes_before_the_table() {
    let layer = ExceptionLayer::new().on(|_: Caught<Elapsed>| StatusCode::IM_A_TEAPOT);
    let service = ServiceBuilder::new().layer(layer).timeout(SOON).service_fn(
        async |_: Request<Incoming>| pending::<Result<Response<Body>, BoxError>>().await,
    );
    let received = Server::start(service).await.get("/").await;
    received.assert_detail(418, "I'm a teapot");
}
