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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
