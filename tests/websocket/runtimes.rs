//! Runtimes that shut down while WebSockets are open.

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
use tower_exception::{WebSocketHandle, WebSockets};

use crate::support::websocket::*;

/// A server on a runtime and a thread of its own.
struct ServerThread {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl ServerThread {
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

    /// Stops the server. Asserts that this neither hangs nor panics.
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

/// The client receives a close frame with 1001, Going Away.
#[tokio::test]
async fn an_open_connection_is_closed_with_1001() {
    for runtime in runtimes() {
        let (opened, mut is_open) = mpsc::unbounded_channel();
        let server = ServerThread::start(runtime, async || {
            let app = accepting_and_catching(move |mut io: ServerIo| {
                opened.send(()).unwrap();
                async move {
                    io.read_u8().await?;
                    Ok(())
                }
            });
            serve(websocket_layer().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        within(is_open.recv()).await.unwrap();
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), close_frame(1001, ""));
    }
}

/// No close frame can follow an incomplete frame.
#[tokio::test]
async fn a_connection_inside_a_frame_ends_without_a_close_frame() {
    for runtime in runtimes() {
        let server = ServerThread::start(runtime, async || {
            let app = accepting(async |mut io: ServerIo| {
                tokio::io::AsyncWriteExt::write_all(&mut io, &[TEXT])
                    .await
                    .unwrap();
                pending::<()>().await
            });
            serve(websocket_layer().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::open(server.address, "/").await;
        assert_eq!(client.take(1).await, [TEXT]);
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), b"");
    }
}

/// The client has received its close frame already.
#[tokio::test]
async fn a_closing_connection_ends() {
    for runtime in runtimes() {
        let server = ServerThread::start(runtime, async || {
            let app = accepting(async |_io| no_swearing().raise());
            serve(websocket_layer().layer(app)).await
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
async fn a_connection_with_a_pending_handler_is_closed_with_1001() {
    for runtime in runtimes() {
        let (handling, mut is_handling) = mpsc::unbounded_channel();
        let server = ServerThread::start(runtime, async || {
            let layer = websocket_layer().on_any(move |_: tower_exception::Caught| {
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

/// The application does not have the connection yet.
#[tokio::test]
async fn a_connection_without_a_handshake_ends() {
    for runtime in runtimes() {
        let (begun, mut has_begun) = mpsc::unbounded_channel();
        let server = ServerThread::start(runtime, async || {
            let app = service_fn(move |_: Request<Incoming>| {
                begun.send(()).unwrap();
                pending::<Accepted>()
            });
            serve(websocket_layer().layer(app)).await
        });
        let server = server.await;
        let mut client = Raw::connect(server.address).await;
        client.send(handshake("/", &[]).as_bytes()).await;
        within(has_begun.recv()).await.unwrap();
        server.stop().await;
        assert_eq!(client.rest().await.unwrap(), b"");
    }
}

/// A handle that outlives its runtime does nothing.
#[tokio::test]
async fn a_handle_outlives_the_runtime() {
    for runtime in runtimes() {
        let (sender, mut handles) = mpsc::unbounded_channel();
        let websockets = WebSockets::new();
        let layer = layer_with(&websockets);
        let server = ServerThread::start(runtime, async move || {
            let app = service_fn(move |mut request: Request<Incoming>| {
                sender.send(WebSocketHandle::of(&request).unwrap()).unwrap();
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
        assert_eq!(websockets.count(), 1);
        server.stop().await;
        client.rest().await.unwrap();
        assert_eq!(websockets.count(), 0);
        websockets.close_all(no_swearing()).await;
        handle.catch(async |()| Err(no_swearing().into()))(()).await;
    }
}
