//! An axum server on a thread of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    panic,
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};

use axum::{Router, response::IntoResponse, routing::get};
use http::{StatusCode, header::CONTENT_TYPE};
use tokio::{net::TcpListener, runtime};
use tower::layer::util::Identity;
use tower_exception::{ExceptionLayer, HttpException};
use tower_http::catch_panic::CatchPanicLayer;

use crate::common::{Leave, boxed};

/// The name, the path and the status. The first one is what all are compared with.
pub const CASES: [(&str, &str, u16); 8] = [
    ("plain handler", "/plain", 404),
    ("plain, below an idle layer", "/plain-idle", 404),
    ("plain, below ExceptionLayer", "/plain-below", 404),
    ("returned, attached", "/returned", 404),
    ("returned, 10 calls deep", "/returned-deep", 404),
    ("raise_async, 10 calls deep", "/raised-async", 404),
    ("raise, 10 calls deep", "/raised", 404),
    ("CatchPanicLayer, panic", "/panicked", 500),
];

const DEPTH: u32 = 10;

async fn plain() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        [(CONTENT_TYPE, "application/json")],
        r#"{"detail":"Item not found"}"#,
    )
}

async fn returned() -> Result<&'static str, HttpException> {
    Err(HttpException::not_found("Item not found"))
}

async fn deep(how: Leave) -> Result<String, HttpException> {
    Ok(boxed(DEPTH, how).await?.to_string())
}

/// As deep, and as boxed.
async fn panics() -> String {
    panic_below(DEPTH).await.to_string()
}

fn panic_below(calls: u32) -> std::pin::Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        match calls {
            0 | 1 => panic!("Item not found"),
            _ => panic_below(calls - 1).await + 1,
        }
    })
}

fn app() -> Router {
    // What axum itself takes for a layer, any layer.
    let idle = Router::new()
        .route("/plain-idle", get(plain))
        .layer(Identity::new());
    let exceptions = Router::new()
        .route("/plain-below", get(plain))
        .route("/returned", get(returned))
        .route("/returned-deep", get(|| deep(Leave::Return)))
        .route("/raised-async", get(|| deep(Leave::RaiseAsync)))
        .route("/raised", get(|| deep(Leave::Raise)))
        .layer(ExceptionLayer::new());
    let panics = Router::new()
        .route("/panicked", get(panics))
        .layer(CatchPanicLayer::new());
    Router::new()
        .route("/plain", get(plain))
        .merge(idle)
        .merge(exceptions)
        .merge(panics)
}

pub struct Server {
    pub address: SocketAddr,
    /// Where Linux tells how long the server's thread has run.
    schedstat: Option<PathBuf>,
}

/// Starts the server. It runs as long as the process.
pub fn start() -> Server {
    // A panic's message is not what is measured.
    panic::set_hook(Box::new(|_| {}));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let this_thread = fs::read_link("/proc/thread-self").ok();
            let schedstat =
                this_thread.map(|thread| PathBuf::from("/proc").join(thread).join("schedstat"));
            sender.send(Server { address, schedstat }).unwrap();
            let listener = axum::serve::ListenerExt::tap_io(listener, |io| {
                io.set_nodelay(true).unwrap();
            });
            axum::serve(listener, app()).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

impl Server {
    /// For how long the server's thread has run, where that can be told.
    pub fn cpu_time(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.schedstat.as_ref()?).ok()?;
        let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }
}
