//! Memory that a server holds for a WebSocket, bare and under a layer with WebSockets on, in each
//! state: an open WebSocket, and a handshake to which the application has yet to respond.
//!
//! An allocator counts what the server's thread allocates and has not freed, over a thousand
//! connections.
//!
//! ```sh
//! cargo bench --features axum,websocket --bench websocket_memory
//! ```

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
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
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::sleep,
};
use tower_exception::{ExceptionLayer, WebSockets};

/// Connections that are counted. Each takes two file descriptors.
const CONNECTIONS: usize = 1000;

/// Sizes of the head of a handshake, as its path has them.
const HEADS: [(&str, usize); 2] = [("a short head", 1), ("a path of 60 KB", 60_000)];

fn main() {
    let files = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(files > 2 * CONNECTIONS as u64 + 100, "{files} files");
    println!(
        "{:40} {:>10} {:>10} {:>10}",
        "bytes a connection", "bare", "layered", "added"
    );
    for (state, path) in [("open", "open"), ("pending", "pending")] {
        for (head, length) in HEADS {
            let held = ["bare", "layered"].map(|kind| held(&format!("{kind}/{path}"), length));
            let [bare, layered] = held;
            let name = format!("{state}, {head}");
            println!("{name:40} {bare:10} {layered:10} {:10}", layered - bare);
        }
    }
}

/// Returns the bytes that the server holds for a connection that requests `path`.
fn held(path: &str, length: usize) -> i64 {
    let reached = Arc::new(AtomicUsize::new(0));
    let server = runtime();
    let address = server.block_on(serve(app(&reached)));
    let request = handshake(&format!("/{path}/{}", "p".repeat(length)));
    let (done, is_done) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || runtime().block_on(connect_all(address, &request, is_done)));
        let wait_for = async |number| {
            while reached.load(SeqCst) < number {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // The first connection initializes what is initialized once.
        server.block_on(wait_for(1));
        let held = allocation_counter::measure(|| server.block_on(wait_for(CONNECTIONS)));
        drop(done);
        held.bytes_current / (CONNECTIONS as i64 - 1)
    })
}

/// Returns an app that counts in `reached` the handlers and the WebSockets that have begun.
fn app(reached: &Arc<AtomicUsize>) -> Router {
    let opened = Arc::clone(reached);
    let open = async move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket: WebSocket| {
            opened.fetch_add(1, SeqCst);
            while socket.recv().await.is_some() {}
        })
    };
    let asked = Arc::clone(reached);
    let unanswered = async move |_: WebSocketUpgrade| {
        asked.fetch_add(1, SeqCst);
        pending::<()>().await;
    };
    let routes = Router::new()
        .route("/open/{*path}", any(open))
        .route("/pending/{*path}", any(unanswered));
    let layer = ExceptionLayer::new().with_websockets(WebSockets::new());
    Router::new()
        .nest("/bare", routes.clone())
        .nest("/layered", routes.layer(layer))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Starts a server in this thread's runtime.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Opens connections one after the other, and holds them until `is_done` is dropped.
async fn connect_all(address: SocketAddr, request: &str, is_done: oneshot::Receiver<()>) {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push(client);
        if clients.len() == 1 {
            // The server has to begin to measure.
            sleep(Duration::from_millis(100)).await;
        }
    }
    let _ = is_done.await;
}
