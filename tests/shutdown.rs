//! Shutdown of a server with a thousand open WebSockets, by `close_all`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::ws::{Message, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, stream};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, protocol::CloseFrame},
};
use tower_exception::{
    CloseCode, ExceptionLayer, WebSocketException, WebSockets, config::Configured,
};

/// Number of clients that reply to the close frame.
const REPLYING: usize = 700;
/// Number of clients that read the close frame and do not reply.
const SILENT: usize = 150;
/// Number of clients that do not read.
const DEAF: usize = 140;
/// Number of clients that do not read while the server sends more than the sockets buffer.
const FLOODED: usize = 10;
const FLOOD: &[u8] = &[0; 8 << 20];
const ALL: usize = REPLYING + SILENT + DEAF + FLOODED;

/// Number of clients that connect while the others are being closed.
const LATE: usize = 20;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time limit of one step.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The close frame, which is all that the server sends to a client.
const CLOSE: &[u8] = b"\x88\x0c\x03\xf4back soon!";

fn restart() -> WebSocketException {
    WebSocketException::new(CloseCode::SERVICE_RESTART).with_reason("back soon!")
}

type Client = WebSocketStream<TcpStream>;

#[test]
fn close_all_closes_a_thousand_connections() {
    // Each client takes two open files, and many systems allow 1024 by default.
    let files = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(files > 2 * (ALL + LATE) as u64 + 100, "{files}");

    let server = runtime();
    let clients = runtime();
    let websockets = WebSockets::new().close_timeout(CLOSE_TIMEOUT);
    let layer = ExceptionLayer::new().with_websockets(websockets.clone());
    let address = server.block_on(serve(app(layer)));
    let idle = server.metrics().num_alive_tasks();
    clients.block_on(async {
        let replying = connect_many(address, "/wait", REPLYING).await;
        let silent = connect_many(address, "/wait", SILENT).await;
        let deaf = connect_many(address, "/wait", DEAF).await;
        let flooded = connect_many(address, "/flood", FLOODED).await;
        assert_eq!(websockets.count(), ALL);

        let began = Instant::now();
        let close_all = server.spawn({
            let websockets = websockets.clone();
            async move { websockets.close_all(restart()).await }
        });
        let mut replying = spawn_all(replying, receive_and_reply);
        let silent = spawn_all(silent, receive_without_reply);
        // The first client has received its close frame. The server still accepts connections.
        replying.join_next().await.unwrap().unwrap();
        let late = connect_many(address, "/wait", LATE).await;
        spawn_all(late, receive_and_reply).join_all().await;
        replying.join_all().await;
        silent.join_all().await;
        close_all.await.unwrap();
        let took = began.elapsed();
        assert_eq!(websockets.count(), 0);
        assert!(took >= CLOSE_TIMEOUT, "{took:?}");
        assert!(took < 2 * CLOSE_TIMEOUT, "{took:?}");

        // The server has freed every task, though the clients have not closed their sockets.
        let gone = async {
            while server.metrics().num_alive_tasks() > idle {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(TIME_LIMIT, gone).await.expect("tasks remain");
        spawn_all(deaf, receive_without_reply).join_all().await;
        drop(flooded);
    });
}

/// If all clients reply, `close_all` returns before the close timeout. If there is no client, it
/// returns at once.
#[test]
fn close_all_returns_when_all_are_closed() {
    let runtime = runtime();
    runtime.block_on(async {
        let websockets = WebSockets::new().close_timeout(10 * TIME_LIMIT);
        let layer = ExceptionLayer::new().with_websockets(websockets.clone());
        let address = serve(app(layer)).await;
        let clients = connect_many(address, "/wait", 10).await;
        let closed = async {
            let clients = spawn_all(clients, receive_and_reply);
            websockets.close_all(restart()).await;
            assert_eq!(websockets.count(), 0);
            clients.join_all().await;
        };
        timeout(TIME_LIMIT, closed).await.expect("not done");
        let without_clients = websockets.close_all(restart()).now_or_never();
        assert_eq!(without_clients, Some(()));

        // `close_all` has returned, so new WebSockets stay open.
        let mut client = connect(address, "/echo").await;
        client.send("hello".into()).await.unwrap();
        let echo = timeout(TIME_LIMIT, client.next()).await.expect("no echo");
        assert_eq!(echo.unwrap().unwrap(), "hello".into());
    });
}

fn app(layer: ExceptionLayer<Configured>) -> Router {
    Router::new()
        .route("/wait", any(wait))
        .route("/flood", any(flood))
        .route("/echo", any(echo))
        .layer(layer)
}

/// Reads to the end. The library replies to the close frame.
async fn wait(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
}

async fn flood(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        let sent = socket.send(Message::Binary(Bytes::from_static(FLOOD)));
        sent.await.expect_err("no client reads it");
    })
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        let message = socket.recv().await.unwrap().unwrap();
        socket.send(message).await.unwrap();
    })
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Serves for as long as the runtime exists.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

async fn connect(address: SocketAddr, path: &str) -> Client {
    let connected = async {
        let stream = TcpStream::connect(address).await.unwrap();
        client_async(format!("ws://{address}{path}"), stream).await
    };
    let connected = timeout(TIME_LIMIT, connected).await;
    connected.expect("no response to the handshake").unwrap().0
}

async fn connect_many(address: SocketAddr, path: &str, count: usize) -> Vec<Client> {
    stream::repeat_with(|| connect(address, path))
        .take(count)
        .buffer_unordered(50)
        .collect()
        .await
}

fn spawn_all<F>(clients: Vec<Client>, task: fn(Client) -> F) -> JoinSet<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    clients.into_iter().map(task).collect()
}

/// Receives the close frame, replies to it, and waits for the end of the connection.
async fn receive_and_reply(mut client: Client) {
    let seen = timeout(TIME_LIMIT, async {
        let first = client.next().await;
        (first, client.next().await)
    });
    match seen.await.expect("not closed") {
        (Some(Ok(tungstenite::Message::Close(Some(CloseFrame { code, reason })))), None) => {
            assert_eq!((u16::from(code), reason.as_str()), (1012, "back soon!"));
        }
        other => panic!("{other:?}"),
    }
}

/// Receives the close frame without a reply, and waits for the end of the connection.
async fn receive_without_reply(client: Client) {
    let mut stream = client.into_inner();
    let mut received = Vec::new();
    let ended = timeout(TIME_LIMIT, stream.read_to_end(&mut received)).await;
    ended.expect("not cut").unwrap();
    assert_eq!(received, CLOSE);
}
