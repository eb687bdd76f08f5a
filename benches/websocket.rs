//! axum's WebSocket, bare and under a layer with WebSockets on: echoed messages a second, and
//! connections a second.
//!
//! The server runs on one thread, its clients on another. Bare and layered take turns in short
//! rounds, so that noise affects both alike. The printed figures are medians of the rates and of
//! the ratios of neighbouring rounds.
//!
//! ```sh
//! cargo bench --features axum,websocket --bench websocket
//! ```

#[path = "common/server.rs"]
mod server;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use futures_util::{SinkExt, StreamExt, future::join_all};
use server::Server;
use tokio::{net::TcpStream, runtime};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};
use tower_exception::{ExceptionLayer, WebSockets};

const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(200);
const CONNECTIONS: usize = 8;

const MESSAGES: [(&str, usize); 4] = [
    ("16 B", 16),
    ("1 KiB", 1 << 10),
    ("64 KiB", 1 << 16),
    ("1 MiB", 1 << 20),
];

fn main() {
    let server = server::start(app());
    let clients = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "{:20} {:>10} {:>10} {:>8} {:>20}",
        "", "bare/s", "layered/s", "ratio", "server's time, ratio"
    );
    for (name, bytes) in MESSAGES {
        let [bare, layered] =
            ["bare", "layered"].map(|path| clients.block_on(connect_all(server.address, path)));
        let mut sockets = [bare, layered];
        compare(&server, name, |which| {
            clients.block_on(echo(&mut sockets[which], bytes))
        });
    }
    compare(&server, "connect and close", |which| {
        let path = ["bare", "layered"][which];
        clients.block_on(connect_and_close(server.address, path))
    });
}

fn app() -> Router {
    async fn upgrade(upgrade: WebSocketUpgrade) -> axum::response::Response {
        upgrade.on_upgrade(echo_back)
    }
    async fn echo_back(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Binary(_) = message {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
    let layered = Router::new()
        .route("/layered", any(upgrade))
        .layer(ExceptionLayer::new().with_websockets(WebSockets::new()));
    Router::new().route("/bare", any(upgrade)).merge(layered)
}

/// Runs rounds of both and prints the medians. The two take turns in going first. `round` returns
/// the number of echoes or connections.
fn compare(server: &Server, name: &str, mut round: impl FnMut(usize) -> usize) {
    let mut rates = [const { Vec::new() }; 2];
    let mut ratios = Vec::new();
    let mut time_ratios = Vec::new();
    for number in 0..ROUNDS {
        let mut rate = [0.0; 2];
        let mut time = [f64::NAN; 2];
        for turn in 0..2 {
            let which = (number + turn) % 2;
            let (began, before) = (Instant::now(), server.cpu_time());
            let done = round(which) as f64;
            rate[which] = done / began.elapsed().as_secs_f64();
            if let (Some(before), Some(after)) = (before, server.cpu_time()) {
                time[which] = (after - before).as_secs_f64() / done;
            }
            rates[which].push(rate[which]);
        }
        ratios.push(rate[1] / rate[0]);
        time_ratios.push(time[1] / time[0]);
    }
    let [bare, layered] = &mut rates;
    println!(
        "{name:20} {:10.0} {:10.0} {:8.3} {:20.3}",
        median(bare),
        median(layered),
        median(&mut ratios),
        median(&mut time_ratios),
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

type Socket = WebSocketStream<TcpStream>;

async fn connect_all(address: SocketAddr, path: &str) -> Vec<Socket> {
    join_all((0..CONNECTIONS).map(|_| connect(address, path))).await
}

async fn connect(address: SocketAddr, path: &str) -> Socket {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let connected = client_async(format!("ws://{address}/{path}"), stream).await;
    connected.unwrap().0
}

/// Sends a message on each socket, waits for its echo, and repeats that for one round.
async fn echo(sockets: &mut [Socket], bytes: usize) -> usize {
    let end = Instant::now() + ROUND;
    let echoes = join_all(sockets.iter_mut().map(|socket| async move {
        let message = tungstenite::Message::binary(vec![7; bytes]);
        let mut echoes = 0;
        while Instant::now() < end {
            socket.send(message.clone()).await.unwrap();
            let echo = socket.next().await.unwrap().unwrap();
            assert_eq!(echo.len(), bytes);
            echoes += 1;
        }
        echoes
    }));
    echoes.await.into_iter().sum()
}

async fn connect_and_close(address: SocketAddr, path: &str) -> usize {
    let end = Instant::now() + ROUND;
    let connections = join_all((0..CONNECTIONS).map(|_| async move {
        let mut connections = 0;
        while Instant::now() < end {
            let mut socket = connect(address, path).await;
            socket.close(None).await.unwrap();
            while socket.next().await.is_some() {}
            connections += 1;
        }
        connections
    }));
    connections.await.into_iter().sum()
}
