//! I/O of a server whose end takes long or goes wrong.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower::{BoxError, Service};

use super::SECRET_TEXT;

/// End of the I/O of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoEnd {
    /// The shutdown has to be polled again so many times.
    ShutdownPending(usize),
    ShutdownError,
    ShutdownPanic,
    DropPanic,
}

/// I/O that counts the polls of its shutdown.
struct FaultyIo {
    stream: TcpStream,
    end: IoEnd,
    shutdown_polls: Arc<AtomicUsize>,
}

impl Drop for FaultyIo {
    fn drop(&mut self) {
        assert!(self.end != IoEnd::DropPanic, "{SECRET_TEXT}");
    }
}

impl AsyncRead for FaultyIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for FaultyIo {
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
        let polls = self.shutdown_polls.fetch_add(1, SeqCst) + 1;
        match self.end {
            IoEnd::ShutdownPending(pending) if polls <= pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            IoEnd::ShutdownError => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            IoEnd::ShutdownPanic => panic!("{SECRET_TEXT}"),
            _ => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}

/// Serves `service` over HTTP/1.1 on I/O with this end, for as long as the runtime exists.
///
/// Returns also how often the shutdowns of all connections were polled.
pub async fn serve_with_end<S, B>(service: S, end: IoEnd) -> (SocketAddr, Arc<AtomicUsize>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown_polls = Arc::new(AtomicUsize::new(0));
    let polls = Arc::clone(&shutdown_polls);
    let service = TowerToHyperService::new(service);
    tokio::spawn(async move {
        loop {
            let io = TokioIo::new(FaultyIo {
                stream: listener.accept().await.unwrap().0,
                end,
                shutdown_polls: Arc::clone(&shutdown_polls),
            });
            let serving = http1::Builder::new().serve_connection(io, service.clone());
            tokio::spawn(serving.with_upgrades());
        }
    });
    (address, polls)
}
