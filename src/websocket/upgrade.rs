//! An `OnUpgrade` that gives the application its connection under a guard.
//!
//! hyper hands an upgraded connection to whoever awaits its `OnUpgrade`, out of any layer's sight. Such a value
//! cannot be made by anybody else; but hyper makes one for every request that it serves, wherever that comes
//! from. So the layer has it serve a request of the layer's own, that comes out of memory, over the guard. The
//! `OnUpgrade` of that request is the application's. Once the real connection is there, the request is
//! answered with 101, the guard swallows that answer, and hyper gives the guard to the application.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::io::ReadBuf;

use super::{connection::Connection, guard::Guard};

/// What goes on between the two, to its end: the connection is open, and the application has it. It fails as the
/// real upgrade does.
pub type Opening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes the application's `OnUpgrade` in place of `real`.
pub fn substitute(real: OnUpgrade, connection: &Arc<Connection>) -> Option<(OnUpgrade, Opening)> {
    let made = Arc::new(Mutex::new(None));
    let service = service_fn({
        let made = Arc::clone(&made);
        let real = Mutex::new(Some((real, Arc::clone(connection))));
        move |mut request: Request<Incoming>| {
            *lock(&made) = Some(hyper::upgrade::on(&mut request));
            let real = lock(&real).take();
            async move {
                let Some((real, connection)) = real else {
                    return Err(io::Error::other("there is one request only"));
                };
                connection.open(real.await.map_err(io::Error::other)?);
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                Ok(response)
            }
        }
    });
    let guard = TokioIo::new(Guard::new(Arc::clone(connection)));
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .auto_date_header(false)
        .max_buf_size(SMALLEST_BUFFER)
        .serve_connection(guard, service)
        .with_upgrades();
    let mut opening: Opening = Box::pin(async { drop(served.await) });
    // All of the request is there, so that it is read, and the service called, at the first poll.
    let _ = opening
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let substitute = lock(&made).take()?;
    Some((substitute, opening))
}

/// The least that hyper takes.
const SMALLEST_BUFFER: usize = 8192;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The request that is served over the guard, and the answer that it swallows.
#[derive(Default)]
pub struct Exchange {
    given: usize,
    /// How much of [`END_OF_HEAD`] was the last that was swallowed.
    matched: usize,
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

impl Exchange {
    pub fn is_over(&self) -> bool {
        self.matched == END_OF_HEAD.len()
    }

    /// Gives the request; `None` once the exchange is over.
    pub fn poll_read(&mut self, buffer: &mut ReadBuf<'_>) -> Option<Poll<io::Result<()>>> {
        if self.is_over() {
            return None;
        }
        let rest = &REQUEST[self.given..];
        if rest.is_empty() {
            // Nothing more will come before the answer has gone out.
            return Some(Poll::Pending);
        }
        let given = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..given]);
        self.given += given;
        Some(Poll::Ready(Ok(())))
    }

    /// Swallows the answer, to the end of its head: how many bytes. `None` once the exchange is over.
    pub fn swallow(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_over() {
            return None;
        }
        let mut swallowed = 0;
        for byte in bytes {
            swallowed += 1;
            self.matched = match *byte {
                byte if byte == END_OF_HEAD[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.is_over() {
                break;
            }
        }
        Some(swallowed)
    }
}
