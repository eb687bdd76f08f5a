//! A server on a real socket.

use std::{
    future::poll_fn,
    mem,
    net::{Ipv4Addr, SocketAddr},
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::{body::Incoming, rt::Executor};
use hyper_util::{rt::TokioIo, server::conn::auto, service::TowerToHyperService};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::{BoxError, Service};

use super::{Client, Protocol, Received, panic_hook_runs, request};

/// Limit of the head of a request over HTTP/2: a test of a long header reaches the service.
const MAX_HEADER_LIST_BYTES: u32 = 256 * 1024;

/// A service on a socket of its own, over HTTP/1.1 and HTTP/2, with upgrades.
///
/// It accepts new connections until it is dropped.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    spawner: Spawner,
}

impl Server {
    /// Serves `service` with hyper.
    pub async fn start<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        panic_hook_runs();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let spawner = Spawner::default();
        let connections = spawner.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // It fails if the client has closed the connection already.
                let _ = stream.set_nodelay(true);
                let stream = TokioIo::new(stream);
                let mut builder = auto::Builder::new(connections.clone());
                // WebSockets over HTTP/2 (RFC 8441, section 3).
                builder.http2().enable_connect_protocol();
                // hyper's default is 16 KiB. Over HTTP/1.1 it is 400 KiB.
                builder.http2().max_header_list_size(MAX_HEADER_LIST_BYTES);
                let service = TowerToHyperService::new(service.clone());
                connections.execute(async move {
                    // A connection whose body failed ends with an error.
                    let _ = builder
                        .serve_connection_with_upgrades(stream, service)
                        .await;
                });
            }
        });
        Self {
            address,
            task,
            spawner,
        }
    }

    /// Serves `router` with axum.
    #[cfg(feature = "axum")]
    pub async fn start_axum(router: axum::Router) -> Self {
        panic_hook_runs();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let spawner = Spawner::default();
        Self {
            address,
            task,
            spawner,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of panics of the service that ended a connection or a stream of one.
    pub fn panics(&self) -> usize {
        self.spawner.panics.load(SeqCst)
    }

    /// Opens one connection to the server.
    pub async fn connect(&self, protocol: Protocol) -> Client {
        Client::connect(protocol, self.address).await
    }

    /// Sends a `GET` on a connection of its own.
    pub async fn get(&self, path: &str) -> Received {
        self.send(request(Method::GET, path)).await
    }

    /// Sends a `HEAD` on a connection of its own.
    pub async fn head(&self, path: &str) -> Received {
        self.send(request(Method::HEAD, path)).await
    }

    /// Sends a request over HTTP/1.1, on a connection of its own. The body may be aborted.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Received {
        let mut client = self.connect(Protocol::Http1).await;
        let response = client.send(request).await.expect("no response");
        Received::read(response).await.0
    }

    /// Serves for as long as the runtime exists.
    #[must_use = "nothing else knows the address"]
    pub fn detach(self) -> SocketAddr {
        let address = self.address;
        mem::forget(self);
        address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Spawns the connections of a server and their streams, and counts those that panic.
#[derive(Clone, Default)]
struct Spawner {
    panics: Arc<AtomicUsize>,
}

impl<F: Future + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        let panics = Arc::clone(&self.panics);
        let mut future = Box::pin(future);
        tokio::spawn(poll_fn(move |cx| {
            match panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx).map(drop))) {
                Ok(poll) => poll,
                Err(payload) => {
                    panics.fetch_add(1, SeqCst);
                    // The payload's `Drop` may panic.
                    mem::forget(payload);
                    Poll::Ready(())
                }
            }
        }));
    }
}
