//! The errors of tower's and tower-http's own, which have a status without any handler.

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

use support::{BoxError, Outer, PATIENCE, Server};

type Body = Full<Bytes>;

const SOON: Duration = Duration::from_millis(20);

/// The answer where the service's future gives the error that `fail` makes.
async fn answer_to<F>(fail: fn() -> F) -> support::Answer
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
async fn under_axum_without_a_type_annotation() {
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
        // As `axum::serve` does: else each request is given layers, and so a limit, of its own.
        .with_state(());
    let server = Arc::new(Server::start(app).await);
    assert_eq!(server.get("/quick").await.text(), "quick");

    let first = Arc::clone(&server);
    let first = tokio::spawn(async move { first.get("/busy").await });
    timeout(PATIENCE, arrived.notified()).await.unwrap();
    let second = server.get("/busy").await;
    second.assert_detail(503, "Service Unavailable");
    assert_eq!(second.header("retry-after"), Some("1"));

    let first = first.await.unwrap();
    first.assert_detail(504, "Gateway Timeout");
    assert_eq!(first.header("retry-after"), None);
}

#[tokio::test]
async fn under_axum_by_the_builders_own_method() {
    let app = Router::new()
        .route("/busy", get(pending::<&'static str>))
        .layer(ServiceBuilder::new().catch_exceptions().timeout(SOON));
    let server = Server::start(app).await;
    let answer = server.get("/busy").await;
    answer.assert_detail(504, "Gateway Timeout");
}

/// A service that never answers, for tonic to serve.
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
async fn under_tonic_without_a_type_annotation() {
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

    let answer = timeout(PATIENCE, async {
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
    assert_eq!(answer.await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn towers_elapsed() {
    let answer = answer_to(|| ready(Elapsed::new().into())).await;
    answer.assert_detail(504, "Gateway Timeout");
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test]
async fn tokios_elapsed() {
    let fail = || async { timeout(SOON, pending::<()>()).await.unwrap_err().into() };
    let answer = answer_to(fail).await;
    answer.assert_detail(504, "Gateway Timeout");
}

#[tokio::test]
async fn overloaded() {
    let fail = || ready(tower::load_shed::error::Overloaded::new().into());
    let answer = answer_to(fail).await;
    answer.assert_detail(503, "Service Unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_buffer_whose_worker_is_gone() {
    let service =
        service_fn(async |_: Request<Incoming>| Ok::<_, BoxError>(Response::new(Body::default())));
    let (buffer, worker) = Buffer::pair(service, 1);
    drop(worker);
    let server = Server::start(ExceptionLayer::new().layer(buffer)).await;
    let answer = server.get("/").await;
    answer.assert_detail(503, "Service Unavailable");
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test]
async fn a_buffer_passes_its_services_exception_on() {
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
            panic!("called though it was not ready")
        }
    }
    let service = ServiceBuilder::new().catch_exceptions().buffer(1);
    let server = Server::start(service.service(Down)).await;
    for _ in 0..2 {
        let answer = server.get("/").await;
        answer.assert_detail(502, "down");
    }
}

#[tokio::test]
async fn a_body_over_its_limit() {
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
async fn a_body_that_does_not_come() {
    async fn echo(request: Request<TimeoutBody<Incoming>>) -> Result<Response<Body>, BoxError> {
        let body = request.into_body().collect().await?;
        Ok(Response::new(Body::from(body.to_bytes())))
    }
    let service = ServiceBuilder::new()
        .catch_exceptions()
        .layer(RequestBodyTimeoutLayer::new(SOON))
        .service_fn(echo);
    let server = Server::start(service).await;
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhalf";
        stream.write_all(head).await.unwrap();
        let mut answer = vec![0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
    assert!(
        answer.ends_with(r#"{"detail":"Request Timeout"}"#),
        "{answer}"
    );
}

#[tokio::test]
async fn one_that_is_the_source_of_another_error() {
    let fail = || ready(Outer::of(Elapsed::new()).into());
    let answer = answer_to(fail).await;
    answer.assert_detail(504, "Gateway Timeout");
}

#[tokio::test]
async fn an_exception_further_out_is_the_answer() {
    let fail = || {
        ready(
            HttpException::gone("sold out")
                .with_source(Elapsed::new())
                .into(),
        )
    };
    let answer = answer_to(fail).await;
    answer.assert_detail(410, "sold out");
}

#[tokio::test]
async fn a_handler_comes_first() {
    let layer = ExceptionLayer::new().on(|_: Caught<Elapsed>| StatusCode::IM_A_TEAPOT);
    let service = ServiceBuilder::new().layer(layer).timeout(SOON).service_fn(
        async |_: Request<Incoming>| pending::<Result<Response<Body>, BoxError>>().await,
    );
    let answer = Server::start(service).await.get("/").await;
    answer.assert_detail(418, "I'm a teapot");
}
