//! Connections that the application drops after both close frames: the layer shuts them down,
//! however long that takes.

use std::{
    io,
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower::Layer;
use tower_exception::WebSockets;

use crate::support::websocket::*;

/// Shutdown of an I/O.
#[derive(Clone, Copy, Debug)]
enum Shutdown {
    /// It has to be polled again so many times.
    Pending(usize),
    Error,
    Panic,
}

/// I/O that counts the polls of its shutdown.
struct Counting {
    stream: TcpStream,
    shutdown: Shutdown,
    polls: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polls = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.shutdown {
            Shutdown::Pending(pending) if polls <= pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Shutdown::Pending(_) => Pin::new(&mut self.stream).poll_shutdown(cx),
            Shutdown::Error => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Shutdown::Panic => panic!("{SECRET_TEXT}"),
        }
    }
}

/// Exchanges close frames and drops the server's I/O. Returns the number of connections of the
/// layer at once after that, and how often the shutdown was polled in the end.
async fn exchanged(websockets: WebSockets, shutdown: Shutdown) -> (usize, usize) {
    let (at_drop, counted) = tokio::sync::oneshot::channel();
    let at_drop = Arc::new(std::sync::Mutex::new(Some(at_drop)));
    let app = accepting({
        let websockets = websockets.clone();
        move |mut io: ServerIo| {
            let (at_drop, websockets) = (at_drop.lock().unwrap().take(), websockets.clone());
            async move {
                let mut close = vec![0; masked_close(1000).len()];
                io.read_exact(&mut close).await.unwrap();
                io.write_all(&close_frame(1000, "")).await.unwrap();
                drop(io);
                at_drop.unwrap().send(websockets.count()).unwrap();
            }
        }
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let service = TowerToHyperService::new(layer_with(&websockets).layer(app));
    tokio::spawn({
        let polls = Arc::clone(&polls);
        async move {
            let stream = listener.accept().await.unwrap().0;
            let io = TokioIo::new(Counting {
                stream,
                shutdown,
                polls,
            });
            let serving = http1::Builder::new().serve_connection(io, service);
            serving.with_upgrades().await.unwrap();
        }
    });
    let mut client = Raw::open(address, "/").await;
    client.send(&masked_close(1000)).await;
    assert_eq!(client.rest().await.unwrap(), close_frame(1000, ""));
    let count = within(counted).await.unwrap();
    all_closed(&websockets).await;
    (count, polls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_shutdown_that_is_ready_takes_no_task() {
    let now = exchanged(WebSockets::new(), Shutdown::Pending(0)).await;
    assert_eq!(now, (0, 1));
}

#[tokio::test]
async fn a_shutdown_that_is_pending_is_completed_by_a_task() {
    for pending in [1, 3] {
        let later = exchanged(WebSockets::new(), Shutdown::Pending(pending)).await;
        assert_eq!(later, (1, pending + 1));
    }
}

#[tokio::test]
async fn a_shutdown_that_fails_ends_the_connection() {
    for shutdown in [Shutdown::Error, Shutdown::Panic] {
        let failed = exchanged(WebSockets::new(), shutdown).await;
        assert_eq!(failed, (0, 1), "{shutdown:?}");
    }
}

#[tokio::test]
async fn without_a_close_on_drop_the_connection_is_only_dropped() {
    let websockets = WebSockets::new().close_on_drop(None);
    let dropped = exchanged(websockets, Shutdown::Pending(0)).await;
    assert_eq!(dropped.1, 0);
}
