//! Closing of WebSockets by the server: a peer or a handshake in the way, and I/O or wakers that
//! misbehave.

use std::{
    future::ready,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    http::{HeaderMap, StatusCode},
    routing::any,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tower::Layer;
use tower_exception::{CloseCode, WebSocketException, WebSockets};

use crate::support::websocket::*;

fn restart() -> WebSocketException {
    WebSocketException::new(CloseCode::SERVICE_RESTART).with_reason("restart")
}

/// A server whose handshakes wait for the test.
struct SlowHandshakes {
    app: Router,
    started: mpsc::UnboundedReceiver<()>,
    release: watch::Sender<bool>,
    websockets: WebSockets,
}

impl SlowHandshakes {
    fn new() -> Self {
        let websockets = WebSockets::new();
        let (sender, started) = mpsc::unbounded_channel();
        let (release, released) = watch::channel(false);
        let upgrade = move |headers: HeaderMap, upgrade: WebSocketUpgrade| {
            let (sender, mut released) = (sender.clone(), released.clone());
            async move {
                sender.send(()).unwrap();
                released.wait_for(|released| *released).await.unwrap();
                match headers.contains_key("reject") {
                    true => Err(StatusCode::FORBIDDEN),
                    false => Ok(upgrade.on_upgrade(
                        async |mut socket: WebSocket| {
                            while socket.recv().await.is_some() {}
                        },
                    )),
                }
            }
        };
        let app = app(any(upgrade), layer_with(&websockets));
        Self {
            app,
            started,
            release,
            websockets,
        }
    }

    /// Connects a client, and returns when its handshake waits. The client's result is how its
    /// connection was closed.
    async fn begin_handshake(
        &mut self,
        protocol: Protocol,
        address: SocketAddr,
    ) -> JoinHandle<(u16, String)> {
        let client = tokio::spawn(async move {
            let mut client = connect_over(protocol, address, "/").await;
            closed(&mut client).await
        });
        within(self.started.recv()).await.unwrap();
        client
    }

    /// Begins to close all connections while a handshake of `client` is being answered, and
    /// answers it after that. Returns the task that closes.
    async fn release_while<C>(&mut self, client: JoinHandle<C>, closing: JoinHandle<()>) -> C {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!closing.is_finished(), "a handshake is in flight");
        self.release.send(true).unwrap();
        let client = within(client).await.unwrap();
        within(closing).await.unwrap();
        client
    }
}

/// B7
#[tokio::test]
async fn close_all_waits_for_a_handshake_in_flight_and_closes_it() {
    for protocol in PROTOCOLS {
        let mut server = SlowHandshakes::new();
        let address = serve(server.app.clone()).await;
        let client = server.begin_handshake(protocol, address).await;
        assert_eq!(server.websockets.count(), 0);
        let websockets = server.websockets.clone();
        let closing = tokio::spawn(async move { websockets.close_all(restart()).await });
        let received = server.release_while(client, closing).await;
        assert_eq!(received, code(1012, "restart"), "{protocol:?}");
        assert_eq!(server.websockets.count(), 0);

        // `close_all` has no effect on later connections.
        let _open = connect_over(protocol, address, "/").await;
        assert_eq!(server.websockets.count(), 1);
    }
}

/// B7
#[tokio::test]
async fn close_all_does_not_wait_for_a_handshake_that_was_rejected_or_given_up() {
    let mut server = SlowHandshakes::new();
    let address = serve(server.app.clone()).await;
    let given_up = tokio::spawn(async move { connect(address, "/").await });
    within(server.started.recv()).await.unwrap();
    given_up.abort();
    let rejected = tokio::spawn(async move {
        try_connect(address, "/", &[("reject", "yes")])
            .await
            .is_err()
    });
    within(server.started.recv()).await.unwrap();
    let websockets = server.websockets.clone();
    let closing = tokio::spawn(async move { websockets.close_all(restart()).await });
    assert!(server.release_while(rejected, closing).await);
}

/// B7
#[tokio::test]
async fn shut_down_closes_later_websockets_too() {
    for protocol in PROTOCOLS {
        let mut server = SlowHandshakes::new();
        let address = serve(server.app.clone()).await;
        let client = server.begin_handshake(protocol, address).await;
        let websockets = server.websockets.clone();
        let closing = tokio::spawn(async move { websockets.shut_down(restart()).await });
        let received = server.release_while(client, closing).await;
        assert_eq!(received, code(1012, "restart"), "{protocol:?}");

        for _ in 0..2 {
            let mut late = connect_over(protocol, address, "/").await;
            assert_eq!(closed(&mut late).await, code(1012, "restart"));
        }
        all_closed(&server.websockets).await;
    }
}

/// B7
#[tokio::test]
async fn axums_graceful_shutdown_ends_with_a_late_handshake_over_http2() {
    let mut server = SlowHandshakes::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let app = server.app.clone();
    let serving = tokio::spawn(async move {
        axum::serve(listener, app)
            .with_graceful_shutdown(async { drop(stopped.await) })
            .await
    });
    let client = server.begin_handshake(Protocol::Http2, address).await;
    stop.send(()).unwrap();
    let websockets = server.websockets.clone();
    let closing = tokio::spawn(async move { websockets.shut_down(restart()).await });
    let received = server.release_while(client, closing).await;
    assert_eq!(received, code(1012, "restart"));
    within(serving).await.unwrap().unwrap();
}

/// The I/O of a peer that sends without an end, and never blocks.
struct AlwaysReady {
    head: Vec<u8>,
}

impl AsyncRead for AlwaysReady {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let head: Vec<u8> = self.head.drain(..).collect();
        match head.is_empty() {
            // An empty message.
            true => buffer.put_slice(&masked(TEXT, b"")),
            false => buffer.put_slice(&head),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for AlwaysReady {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// B8
#[tokio::test]
async fn the_close_timeout_holds_although_the_peer_floods() {
    let websockets = WebSockets::new().close_timeout(SHORT_CLOSE_TIMEOUT);
    let app = accepting(async |_io| no_swearing().raise());
    let io = AlwaysReady {
        head: handshake("/", &[]).into_bytes(),
    };
    let service = TowerToHyperService::new(layer_with(&websockets).layer(app));
    let began = Instant::now();
    http1::Builder::new()
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades()
        .await
        .unwrap();
    // The runtime has one thread, which the closing task has to leave to other tasks.
    let mut ticks = 0;
    while websockets.count() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        ticks += 1;
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert!(began.elapsed() >= SHORT_CLOSE_TIMEOUT);
    assert!(ticks > 2, "{ticks}");
}

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("{SECRET_TEXT}");
    }
}

/// B9
#[tokio::test]
async fn close_all_closes_every_websocket_although_a_waker_panics() {
    let websockets = WebSockets::new();
    let sockets = Arc::new(Mutex::new(Vec::new()));
    let hand_over = bare({
        let sockets = Arc::clone(&sockets);
        move |socket: WebSocket| {
            sockets.lock().unwrap().push(socket);
            ready(())
        }
    });
    let address = serve(app(hand_over, layer_with(&websockets))).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(connect(address, "/").await);
    }
    within(async {
        while sockets.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut sockets = std::mem::take(&mut *sockets.lock().unwrap());
    let waker = Waker::from(Arc::new(PanickingWaker));
    for socket in &mut sockets {
        let poll = pin!(socket.recv()).poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    }
    let closing = tokio::spawn({
        let websockets = websockets.clone();
        async move { websockets.close_all(restart()).await }
    });
    for client in &mut clients {
        assert_eq!(closed(client).await, code(1012, "restart"));
    }
    within(closing).await.unwrap();
    assert_eq!(websockets.count(), 0);
}

/// B9
#[tokio::test]
async fn close_all_closes_every_websocket_although_an_io_panics_when_it_is_dropped() {
    let websockets = WebSockets::new();
    let app = accepting(async |_io| std::future::pending().await);
    let (address, _) = serve_with_end(layer_with(&websockets).layer(app), IoEnd::DropPanic).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(connect(address, "/").await);
    }
    let closing = tokio::spawn({
        let websockets = websockets.clone();
        async move { websockets.close_all(restart()).await }
    });
    for client in &mut clients {
        assert_eq!(closed(client).await, code(1012, "restart"));
    }
    within(closing).await.unwrap();
    assert_eq!(websockets.count(), 0);
}

/// B7
#[tokio::test]
async fn shut_down_outlasts_a_later_close_all() {
    let websockets = WebSockets::new();
    within(websockets.shut_down(restart())).await;
    within(websockets.close_all(no_swearing())).await;
    let app = accepting(async |_io| std::future::pending().await);
    let address = serve(layer_with(&websockets).layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed(&mut client).await, code(1012, "restart"));
}
