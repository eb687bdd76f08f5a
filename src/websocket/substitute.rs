//! The application's `OnUpgrade`, which gives it an `InterceptedIo`.
//!
//! hyper gives an upgraded connection to the task that awaits its `OnUpgrade`. No layer takes part
//! in that. Only hyper can make an `OnUpgrade`, but it makes one for each request that it serves,
//! whatever the transport.
//!
//! So the layer lets hyper serve a request from memory over the `InterceptedIo`. The application
//! gets the `OnUpgrade` of that request. When the real connection has been upgraded, the service
//! responds to that request with 200. The `InterceptedIo` discards this response, and hyper gives
//! the `InterceptedIo` to the application.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Request, Response};
use http_body_util::Empty;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;

use super::{connection::Connection, intercepted_io::InterceptedIo, opening::Opening};

/// Makes the application's `OnUpgrade` in place of `real`.
pub(crate) fn substitute(
    real: OnUpgrade,
    connection: &Arc<Connection>,
) -> Option<(OnUpgrade, Opening)> {
    let made = Arc::new(Mutex::new(None));
    let service = service_fn({
        let made = Arc::clone(&made);
        let real = Mutex::new(Some((real, Arc::clone(connection))));
        move |mut request: Request<Incoming>| {
            *lock(&made) = Some(hyper::upgrade::on(&mut request));
            let real = lock(&real).take();
            async move {
                let Some((real, connection)) = real else {
                    return Err(io::Error::other("only one request is expected"));
                };
                connection.open(real.await.map_err(io::Error::other)?);
                Ok(Response::new(Empty::<Bytes>::new()))
            }
        }
    });
    let io = TokioIo::new(InterceptedIo::new(Arc::clone(connection)));
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .auto_date_header(false)
        .max_buf_size(MIN_BUFFER_BYTES)
        .serve_connection(io, service)
        .with_upgrades();
    // The whole request is in memory, so the first poll reads it and calls the service.
    let opening = Opening::new(async { drop(served.await) });
    let substitute = lock(&made).take()?;
    Some((substitute, opening))
}

/// Smallest buffer that hyper accepts.
const MIN_BUFFER_BYTES: usize = 8192;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
