//! gRPC clients and upstreams over sockets, without generated code.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{Request, Response, uri::PathAndQuery};
use http_body_util::Full;
use hyper::body::Incoming;
use tonic::{
    Status,
    body::Body,
    server,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::support::{BoxError, Server, within};

/// Calls a method whose request is empty and whose response is a text.
pub async fn call(upstream: SocketAddr) -> Result<String, Status> {
    let mut client = client(upstream);
    // As in a client that tonic generates.
    client
        .ready()
        .await
        .map_err(|error| Status::unknown(format!("Service was not ready: {error}")))?;
    let path = PathAndQuery::from_static("/shop.Shop/Get");
    let response = client.unary(tonic::Request::new(()), path, codec()).await?;
    Ok(response.into_inner())
}

/// Calls a method, and returns the first error of its stream.
pub async fn call_stream(upstream: SocketAddr) -> (Vec<String>, Option<Status>) {
    let mut client = client(upstream);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/shop.Shop/List");
    let call = client.server_streaming(tonic::Request::new(()), path, codec());
    let mut messages = Vec::new();
    let mut stream = match within(call).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (messages, Some(status)),
    };
    loop {
        match within(stream.message()).await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(status) => return (messages, Some(status)),
        }
    }
}

fn client(upstream: SocketAddr) -> tonic::client::Grpc<Channel> {
    let channel = Endpoint::from_shared(format!("http://{upstream}"))
        .unwrap()
        .connect_lazy();
    tonic::client::Grpc::new(channel)
}

fn codec() -> ProstCodec<(), String> {
    ProstCodec::default()
}

/// Serves a response with these headers, whose body is `body`.
pub async fn upstream(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> SocketAddr {
    let service = service_fn(move |_: Request<Incoming>| async move {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        Ok::<_, Infallible>(response)
    });
    Server::start(service).await.detach()
}

/// Returns an address at which nothing listens.
pub async fn dead() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Answers a request as tonic's server does, by a stream of texts.
pub async fn stream<S, B>(request: Request<B>, stream: S) -> Response<Body>
where
    S: Stream<Item = Result<String, Status>> + Send + 'static,
    B: http_body::Body<Error: Into<BoxError> + Send> + Send + 'static,
{
    struct Streaming<S>(Option<S>);
    impl<S> server::ServerStreamingService<()> for Streaming<S>
    where
        S: Stream<Item = Result<String, Status>> + Send + 'static,
    {
        type Response = String;
        type ResponseStream = futures_util::stream::BoxStream<'static, Result<String, Status>>;
        type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

        fn call(&mut self, _: tonic::Request<()>) -> Self::Future {
            let stream = self.0.take().unwrap().boxed();
            std::future::ready(Ok(tonic::Response::new(stream)))
        }
    }
    server()
        .server_streaming(Streaming(Some(stream)), request)
        .await
}

/// Answers a request as tonic's server does, by the result of a handler.
pub async fn unary<F>(request: Request<Incoming>, handler: F) -> Response<Body>
where
    F: Future<Output = Result<String, Status>> + Send + 'static,
{
    struct Unary<F>(Option<F>);
    impl<F> server::UnaryService<()> for Unary<F>
    where
        F: Future<Output = Result<String, Status>> + Send + 'static,
    {
        type Response = String;
        type Future =
            futures_util::future::BoxFuture<'static, Result<tonic::Response<String>, Status>>;

        fn call(&mut self, _: tonic::Request<()>) -> Self::Future {
            let handler = self.0.take().unwrap();
            Box::pin(async move { handler.await.map(tonic::Response::new) })
        }
    }
    server().unary(Unary(Some(handler)), request).await
}

fn server() -> server::Grpc<ProstCodec<String, ()>> {
    server::Grpc::new(ProstCodec::default())
}
