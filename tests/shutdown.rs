//! A server goes down that has a thousand WebSockets open: `close_all`.

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
use tower_exception::{CloseCode, Custom, ExceptionLayer, WebSocketException};

/// Of one thousand, these answer the close frame.
const ANSWERING: usize = 700;
/// These read it, and say nothing.
const SILENT: usize = 150;
/// These do not read at all.
const DEAF: usize = 140;
/// Nor do these, to whom the server is sending more than the sockets hold.
const FLOODED: usize = 10;
const FLOOD: &[u8] = &[0; 8 << 20];
const ALL: usize = ANSWERING + SILENT + DEAF + FLOODED;

/// Who comes while the others are being closed.
const LATE: usize = 20;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// What does not come in this time does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The whole of what is sent to each: a close frame.
const CLOSE: &[u8] = b"\x88\x0c\x03\xf4back soon!";

fn restart() -> WebSocketException {
    WebSocketException::new(CloseCode::SERVICE_RESTART).with_reason("back soon!")
}

type Client = WebSocketStream<TcpStream>;

#[test]
fn a_thousand_connections() {
    // Each takes two open files, where many systems allow 1024 unless they are asked.
    let files = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(files > 2 * (ALL + LATE) as u64 + 100, "{files}");

    let server = runtime();
    let clients = runtime();
    let layer = ExceptionLayer::new().close_timeout(CLOSE_TIMEOUT);
    let upgrades = layer.upgrades();
    let address = server.block_on(serve(app(layer)));
    let idle = server.metrics().num_alive_tasks();
    clients.block_on(async {
        let answering = connect_many(address, "/wait", ANSWERING).await;
        let silent = connect_many(address, "/wait", SILENT).await;
        let deaf = connect_many(address, "/wait", DEAF).await;
        let flooded = connect_many(address, "/flood", FLOODED).await;
        assert_eq!(upgrades.count(), ALL);

        let began = Instant::now();
        let close_all = server.spawn({
            let upgrades = upgrades.clone();
            async move { upgrades.close_all(restart()).await }
        });
        let mut answering = spawn_all(answering, see_the_close);
        let silent = spawn_all(silent, hear_in_silence);
        // Once the first has heard of it, the server is going down and lets others in yet.
        answering.join_next().await.unwrap().unwrap();
        let late = connect_many(address, "/wait", LATE).await;
        spawn_all(late, see_the_close).join_all().await;
        answering.join_all().await;
        silent.join_all().await;
        close_all.await.unwrap();
        let took = began.elapsed();
        assert_eq!(upgrades.count(), 0);
        assert!(took >= CLOSE_TIMEOUT, "{took:?}");
        assert!(took < 2 * CLOSE_TIMEOUT, "{took:?}");

        // Nothing is left of them, though the other ends are still open.
        let gone = async {
            while server.metrics().num_alive_tasks() > idle {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, gone).await.expect("tasks are left");
        spawn_all(deaf, hear_in_silence).join_all().await;
        drop(flooded);
    });
}

/// Where all answer, it does not take the close timeout; and where there is nobody, it takes no time at all.
#[test]
fn it_is_done_when_all_are_closed() {
    let runtime = runtime();
    runtime.block_on(async {
        let layer = ExceptionLayer::new().close_timeout(10 * PATIENCE);
        let upgrades = layer.upgrades();
        let address = serve(app(layer)).await;
        let clients = connect_many(address, "/wait", 10).await;
        let closed = async {
            let clients = spawn_all(clients, see_the_close);
            upgrades.close_all(restart()).await;
            assert_eq!(upgrades.count(), 0);
            clients.join_all().await;
        };
        timeout(PATIENCE, closed).await.expect("not done");
        let nobody = upgrades.close_all(restart()).now_or_never();
        assert_eq!(nobody, Some(()));

        // It is over, so that new ones are welcome.
        let mut client = connect(address, "/echo").await;
        client.send("hello".into()).await.unwrap();
        let echo = timeout(PATIENCE, client.next()).await.expect("no echo");
        assert_eq!(echo.unwrap().unwrap(), "hello".into());
    });
}

fn app(layer: ExceptionLayer<Custom>) -> Router {
    Router::new()
        .route("/wait", any(wait))
        .route("/flood", any(flood))
        .route("/echo", any(echo))
        .layer(layer)
}

/// Reads to the end, and so answers what is to be answered.
async fn wait(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
}

async fn flood(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        let sent = socket.send(Message::Binary(Bytes::from_static(FLOOD)));
        sent.await.expect_err("nobody reads it");
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

/// Serves for as long as the runtime is there.
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
    let connected = timeout(PATIENCE, connected).await;
    connected.expect("no answer to the handshake").unwrap().0
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

/// Answers the close frame, and sees the connection end.
async fn see_the_close(mut client: Client) {
    let seen = timeout(PATIENCE, async {
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

/// Reads the close frame and does not answer it: the connection ends all the same.
async fn hear_in_silence(client: Client) {
    let mut stream = client.into_inner();
    let mut heard = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    ended.expect("not cut").unwrap();
    assert_eq!(heard, CLOSE);
}
