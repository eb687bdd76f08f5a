//! Runtimes that end while WebSockets are open.

use std::{future::ready, net::SocketAddr, thread};

use futures_util::future::pending;
use http::Request;
use hyper::body::Incoming;
use tokio::{
    io::AsyncReadExt,
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
};
use tower::{Layer, service_fn};
use tower_exception::UpgradeHandle;

use crate::support::*;

/// A server on a runtime of its own, until it is stopped.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Server {
    async fn start<F>(runtime: Runtime, serving: F) -> Self
    where
        F: AsyncFnOnce() -> SocketAddr + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let (sender, address) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                sender.send(serving().await).unwrap();
                let _ = stopped.await;
            });
        });
        Self {
            address: within(address).await.unwrap(),
            stop,
            thread,
        }
    }

    /// Stops it. That neither hangs nor panics.
    async fn stop(self) {
        self.stop.send(()).unwrap();
        let thread = tokio::task::spawn_blocking(|| self.thread.join());
        within(thread).await.unwrap().unwrap();
    }
}

fn runtimes() -> [Runtime; 2] {
    let current = Builder::new_current_thread().enable_all().build();
    let multi = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    [current.unwrap(), multi.unwrap()]
}

/// Those that were at work get a close frame that says why.
#[tokio::test]
async fn the_application_is_at_work() {
    for runtime in runtimes() {
        let (opened, mut is_open) = mpsc::unbounded_channel();
        let server = Server::start(runtime, async || {
            let app = accepting_caught(move |mut io: Bare| {
                opened.send(()).unwrap();
                async move {
                    io.read_u8().await?;
                    Ok(())
                }
            });
            serve(upgrades().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        within(is_open.recv()).await.unwrap();
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), close_frame(1001, ""));
    }
}

/// Not in the middle of a frame.
#[tokio::test]
async fn the_application_is_in_the_middle_of_a_frame() {
    for runtime in runtimes() {
        let server = Server::start(runtime, async || {
            let app = accepting(async |mut io: Bare| {
                tokio::io::AsyncWriteExt::write_all(&mut io, &[TEXT])
                    .await
                    .unwrap();
                pending::<()>().await
            });
            serve(upgrades().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        assert_eq!(client.take(1).await, [TEXT]);
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), b"");
    }
}

/// Those that were being closed have their close frame already.
#[tokio::test]
async fn the_client_has_not_answered_the_close() {
    for runtime in runtimes() {
        let server = Server::start(runtime, async || {
            let app = accepting(async |_io| no_swearing().raise());
            serve(upgrades().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        let expected = close_frame(1008, "no swearing");
        assert_eq!(client.take(expected.len()).await, expected);
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), b"");
    }
}

#[tokio::test]
async fn a_handler_has_not_answered() {
    for runtime in runtimes() {
        let (handling, mut is_handling) = mpsc::unbounded_channel();
        let server = Server::start(runtime, async || {
            let layer = upgrades().on_any(move |_: tower_exception::Caught| {
                handling.send(()).unwrap();
                pending::<http::StatusCode>()
            });
            serve(layer.layer(accepting(async |_io| no_swearing().raise()))).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        within(is_handling.recv()).await.unwrap();
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), close_frame(1001, ""));
    }
}

/// Nobody had the connection yet.
#[tokio::test]
async fn the_handshake_is_not_answered() {
    for runtime in runtimes() {
        let (begun, mut has_begun) = mpsc::unbounded_channel();
        let server = Server::start(runtime, async || {
            let app = service_fn(move |_: Request<Incoming>| {
                begun.send(()).unwrap();
                pending::<Accepted>()
            });
            serve(upgrades().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::connect(server.address).await;
        client.send(handshake("/", &[]).as_bytes()).await;
        within(has_begun.recv()).await.unwrap();
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), b"");
    }
}

/// Who still has a handle has nothing.
#[tokio::test]
async fn what_is_kept_of_it_outlives_the_runtime() {
    for runtime in runtimes() {
        let (sender, mut handles) = mpsc::unbounded_channel();
        let layer = upgrades();
        let upgrades = layer.upgrades();
        let server = Server::start(runtime, async move || {
            let app = service_fn(move |mut request: Request<Incoming>| {
                sender.send(UpgradeHandle::of(&request).unwrap()).unwrap();
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let _upgraded = upgrade.await.unwrap();
                    pending::<()>().await
                });
                ready(Accepted::Ok(accepted(&request)))
            });
            serve(layer.layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        let handle = within(handles.recv()).await.unwrap();
        assert_eq!(upgrades.count(), 1);
        server.stop().await;
        client.rest().await.unwrap();
        assert_eq!(upgrades.count(), 0);
        upgrades.close_all(no_swearing()).await;
        handle.catch(async |()| Err(no_swearing().into()))(()).await;
    }
}
