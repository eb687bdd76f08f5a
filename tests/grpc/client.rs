//! Clients that do not reconnect, so that a call on a closed connection fails.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use futures_util::FutureExt as _;
use http::{Request, Response, Uri, Version};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpStream;
use tonic::{body::Body, transport::Endpoint};
use tonic_web::GrpcWebClientLayer;
use tower::{BoxError, Service, ServiceBuilder, service_fn, util::BoxCloneService};

use crate::generated::items_client::ItemsClient;

pub type Client = ItemsClient<BoxCloneService<Request<Body>, Response<Body>, BoxError>>;

/// Returns tonic's client on tonic's channel.
pub fn grpc(address: SocketAddr) -> Client {
    let endpoint = Endpoint::from(origin(address));
    let channel = endpoint.connect_with_connector_lazy(connect(address, 1));
    let service = ServiceBuilder::new()
        .map_err(BoxError::from)
        .service(channel);
    Client::new(BoxCloneService::new(service))
}

/// Returns tonic's client on tonic-web's client.
///
/// Over HTTP/1.1 tonic-web drops the connection when it has read a status after messages, without
/// waiting for the end of the body. So over HTTP/1.1 the client may reconnect.
pub fn grpc_web(address: SocketAddr, version: Version) -> Client {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    let client = match version {
        Version::HTTP_2 => builder.http2_only(true).build(connect(address, 1)),
        _ => builder.build(connect(address, u32::MAX)),
    };
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .map_err(BoxError::from)
        .layer(GrpcWebClientLayer::new())
        .service(client);
    Client::with_origin(BoxCloneService::new(service), origin(address))
}

fn origin(address: SocketAddr) -> Uri {
    format!("http://{address}").parse().unwrap()
}

/// Returns a connector that connects at most this many times.
fn connect(
    address: SocketAddr,
    times: u32,
) -> impl Service<Uri, Response = TokioIo<TcpStream>, Error = io::Error, Future: Send + Unpin>
+ Clone
+ Send
+ Sync {
    let connected = Arc::new(AtomicU32::new(0));
    service_fn(move |_| {
        let before = connected.fetch_add(1, SeqCst);
        async move {
            if before >= times {
                return Err(io::Error::other("the connection was closed"));
            }
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        }
        .boxed()
    })
}
