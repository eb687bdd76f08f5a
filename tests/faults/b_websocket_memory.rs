//! Memory of a WebSocket, over that of the same WebSocket without the layer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::any,
};
use futures_util::future::pending;
use tokio::{runtime::Builder, sync::oneshot, time::sleep};
use tower_exception::{ExceptionLayer, config::Configured};

use crate::support::websocket::*;

/// Number of WebSockets that are open at the same time.
const SOCKETS: usize = 40;

/// Bytes that an open WebSocket may hold.
const OPEN_LIMIT: i64 = 8 << 10;

/// Bytes that an unanswered handshake may hold: mostly the two buffers of the connection in memory
/// by which hyper makes the application's `OnUpgrade`. hyper accepts none below 8 KiB.
const UNANSWERED_LIMIT: i64 = 22 << 10;

/// Longest request target that `http` accepts, nearly.
const LONG_PATH: usize = 60_000;

/// Size of one header. With the others below, the head has 380 KB.
const HEADER: usize = 32_000;

/// Bytes that a server holds for each of [`SOCKETS`] connections, on its thread.
///
/// The server responds to `request` on each connection, and `counted` tells when it has done so.
fn bytes_per_socket(app: Router, counted: &Arc<AtomicUsize>, request: &str) -> i64 {
    let files = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(files > 2 * SOCKETS as u64 + 100, "{files}");
    counted.store(0, SeqCst);
    let server = Builder::new_current_thread().enable_all().build().unwrap();
    let address = server.block_on(serve(app));
    let (done, is_done) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let clients = Builder::new_current_thread().enable_all().build().unwrap();
            clients.block_on(connect_many(address, request, is_done));
        });
        let wait_for = async |number| {
            while counted.load(SeqCst) < number {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // The first connection initializes what is initialized once.
        server.block_on(wait_for(1));
        let held = allocation_counter::measure(|| server.block_on(wait_for(SOCKETS)));
        drop(done);
        held.bytes_current / (SOCKETS as i64 - 1)
    })
}

/// Opens connections one after the other, and holds them until `is_done` is dropped.
async fn connect_many(address: SocketAddr, request: &str, is_done: oneshot::Receiver<()>) {
    let mut clients = Vec::new();
    for _ in 0..SOCKETS {
        let mut client = Raw::connect(address).await;
        client.send(request.as_bytes()).await;
        clients.push(client);
        if clients.len() == 1 {
            // The server has to begin to measure.
            sleep(Duration::from_millis(100)).await;
        }
    }
    let _ = is_done.await;
}

/// Returns the bytes that an open WebSocket holds.
fn open(request: &str, layer: Option<ExceptionLayer<Configured>>) -> i64 {
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&counted);
    let route = bare(move |mut socket: WebSocket| {
        let counter = Arc::clone(&counter);
        async move {
            counter.fetch_add(1, SeqCst);
            while socket.recv().await.is_some() {}
        }
    });
    bytes_per_socket(layered(route, layer), &counted, request)
}

/// Returns the bytes that a handshake holds while it is being answered.
fn unanswered(request: &str, layer: Option<ExceptionLayer<Configured>>) -> i64 {
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&counted);
    let route = any(async move |_upgrade: WebSocketUpgrade| {
        counter.fetch_add(1, SeqCst);
        pending::<()>().await;
    });
    bytes_per_socket(layered(route, layer), &counted, request)
}

fn layered(
    route: axum::routing::MethodRouter,
    layer: Option<ExceptionLayer<Configured>>,
) -> Router {
    let router = Router::new().route("/{*path}", route);
    match layer {
        Some(layer) => router.layer(layer),
        None => router,
    }
}

fn head(path: usize, headers: usize) -> String {
    let path = format!("/{}", "p".repeat(path));
    let header = "h".repeat(HEADER);
    let lines: Vec<_> = (0..headers).map(|i| format!("x-{i}: {header}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    handshake(&path, &lines)
}

/// Heads of requests: usual, with long headers, and with a long path.
fn heads() -> [String; 3] {
    [head(1, 0), head(1, 12), head(LONG_PATH, 10)]
}

/// Asserts that `measure` yields at most `limit` over `bare`, in bytes for each connection.
///
/// The size of the server's read buffer depends on the pieces in which a long head arrives, and so
/// on how busy the machine is. A part of a request that is pinned is there each time.
fn assert_at_most(limit: i64, measure: impl Fn(Option<ExceptionLayer<Configured>>) -> i64) {
    let held = || measure(Some(websocket_layer())) - measure(None);
    let least = (0..3).map(|_| held()).find(|held| *held <= limit);
    assert!(least.is_some(), "{} over a bare server", held());
}

/// B10
#[test]
fn an_open_websocket_holds_at_most_8_kib_whatever_its_request_was() {
    for request in heads() {
        assert_at_most(OPEN_LIMIT, |layer| open(&request, layer));
    }
}

/// B10
#[test]
fn an_unanswered_handshake_holds_no_part_of_its_request() {
    for request in heads() {
        assert_at_most(UNANSWERED_LIMIT, |layer| unanswered(&request, layer));
    }
}

/// B10
#[test]
fn captured_headers_share_no_memory_with_the_request() {
    let request = head(1, 11);
    let captured = open(&request, Some(websocket_layer().capture_headers()));
    let bare = open(&request, None);
    let held = captured - bare - i64::try_from(request.len()).unwrap();
    assert!(held <= OPEN_LIMIT, "{held} over {bare}");
}
