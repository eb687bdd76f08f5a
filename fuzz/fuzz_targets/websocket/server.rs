//! A server in memory that runs the application of a script, with a layer or without one.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, IoSlice},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    sync::Notify,
    task::{JoinHandle, yield_now},
    time::{Instant, timeout},
};
use tower::{Layer as _, ServiceExt as _, service_fn, util::BoxCloneService};
use tower_exception::{
    CloseCode, ExceptionLayer, HttpException, Result, WebSocketException, WebSocketHandle,
};
use tower_exception_fuzz::panics;
use tungstenite::handshake::derive_accept_key;

use crate::{
    client,
    script::{Client, Ending, Script, Step},
};

/// A connection after its end.
pub struct Seen {
    /// Bytes that the client has received after the head of the response.
    pub received: Vec<u8>,
    pub app: App,
    /// Time between the end of the application and the end of the connection.
    pub closing: Duration,
}

/// The bytes of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    pub read: Vec<u8>,
    pub written: Vec<u8>,
    /// Whether it has read the end of the connection, shut it down, or got an error.
    pub is_over: bool,
}

/// One connection, as the application and the server share it.
struct Exchange {
    script: Arc<Script>,
    app: Mutex<App>,
    /// Notified when the steps are done.
    done: Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Runs a script without the layer.
pub async fn run_bare(script: &Arc<Script>) -> Seen {
    let exchange = Exchange::new(script);
    let service = BoxCloneService::new(service_fn(exchange.service()));
    run(&exchange, service, async |_: &Exchange| {}).await
}

/// Runs a script under the layer.
pub async fn run_guarded(script: &Arc<Script>) -> Seen {
    let exchange = Exchange::new(script);
    let websockets = script.websockets();
    let layer = ExceptionLayer::new().with_websockets(websockets.clone());
    let service = BoxCloneService::new(layer.layer(service_fn(exchange.service())));
    let service = service.map_response(|response| response.map(|_| Empty::new()));
    let close_all = async |exchange: &Exchange| {
        if exchange.script.ending == Ending::CloseAll {
            websockets.close_all(exchange.script.websocket()).await;
        }
    };
    let seen = run(&exchange, BoxCloneService::new(service), close_all).await;
    // The client sees the end of the connection before the task that has closed it has ended.
    for _ in 0..8 {
        yield_now().await;
    }
    assert_eq!(websockets.count(), 0, "live WebSockets");
    seen
}

type Service = BoxCloneService<Request<Incoming>, Response<Empty<Bytes>>, Infallible>;

async fn run(
    exchange: &Arc<Exchange>,
    service: Service,
    close_all: impl AsyncFnOnce(&Exchange),
) -> Seen {
    let script = &exchange.script;
    let (client, server) = tokio::io::duplex(script.capacity);
    let server = serve(server, service);
    let client = tokio::spawn({
        let script = Arc::clone(script);
        async move { client::run(&script, client).await }
    });
    let whole = async {
        if script.client == Client::Vanish {
            // The application may not have begun.
            tokio::select! {
                () = exchange.done.notified() => {}
                () = tokio::time::sleep(Duration::from_secs(30)) => {}
            }
        } else {
            exchange.done.notified().await;
        }
        let done = Instant::now();
        close_all(exchange).await;
        let task = exchange.task.lock().expect("no panic").take();
        if let Some(task) = task {
            if matches!(script.ending, Ending::Abort | Ending::CloseAll) {
                task.abort();
            }
            let _ = task.await;
        }
        let received = client.await.expect("the client does not panic");
        let closing = done.elapsed();
        server.await.expect("the server does not panic");
        (received, closing)
    };
    let (received, closing) = timeout(Duration::from_secs(60), whole)
        .await
        .expect("the connection ends");
    let app = exchange.app.lock().expect("no panic").clone();
    Seen {
        received,
        app,
        closing,
    }
}

fn serve(io: DuplexStream, service: Service) -> JoinHandle<()> {
    let service = hyper::service::service_fn(move |request| service.clone().oneshot(request));
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::spawn(async { drop(connection.await) })
}

impl Exchange {
    fn new(script: &Arc<Script>) -> Arc<Self> {
        Arc::new(Self {
            script: Arc::clone(script),
            app: Mutex::default(),
            done: Notify::new(),
            task: Mutex::default(),
        })
    }

    /// Returns a service that accepts the handshake and runs the application.
    fn service(
        self: &Arc<Self>,
    ) -> impl Fn(Request<Incoming>) -> std::future::Ready<std::result::Result<Accepted, Infallible>>
    + Clone
    + use<> {
        let exchange = Arc::clone(self);
        move |mut request| {
            let upgrade = hyper::upgrade::on(&mut request);
            let handle = WebSocketHandle::of(&request).filter(|_| exchange.script.is_caught);
            let this = Arc::clone(&exchange);
            let task = tokio::spawn(async move {
                let Ok(upgraded) = upgrade.await else {
                    return;
                };
                match handle {
                    None => drop(this.perform(upgraded).await),
                    Some(handle) => {
                        let perform = async move |upgraded| this.perform(upgraded).await;
                        handle.catch(perform)(upgraded).await;
                    }
                }
            });
            *exchange.task.lock().expect("no panic") = Some(task);
            std::future::ready(Ok(accepted(&request)))
        }
    }

    async fn perform(&self, upgraded: Upgraded) -> Result<()> {
        let mut io = TokioIo::new(upgraded);
        for step in &self.script.steps {
            if self.perform_step(step, &mut io).await.is_err() {
                self.with_app(|app| app.is_over = true);
                break;
            }
        }
        self.done.notify_one();
        let websocket = self.script.websocket();
        let http = || HttpException::not_found(self.script.reason.clone());
        match self.script.ending {
            Ending::Drop => Ok(()),
            Ending::Error => Err(io::Error::other("an error of the application").into()),
            Ending::ErrorHttp => Err(http().into()),
            Ending::ErrorWebSocket => Err(websocket.into()),
            Ending::Raise => websocket.raise(),
            Ending::RaiseHttp => http().raise(),
            Ending::RaiseAsync => websocket.raise_async().await,
            Ending::Panic => panics::expected(),
            Ending::DropThenError => {
                drop(io);
                yield_now().await;
                Err(websocket.into())
            }
            Ending::Abort | Ending::CloseAll => pending().await,
        }
    }

    async fn perform_step(&self, step: &Step, io: &mut TokioIo<Upgraded>) -> io::Result<()> {
        match step {
            Step::Read(length) => self.read(io, *length).await,
            Step::Write(bytes) => self.write(io, bytes, &[]).await,
            Step::WriteVectored(first, second) => self.write(io, first, second).await,
            Step::Flush => io.flush().await,
            Step::Yield => {
                yield_now().await;
                Ok(())
            }
            Step::ShutDown => {
                self.with_app(|app| app.is_over = true);
                io.shutdown().await
            }
        }
    }

    /// Reads `length` bytes, but waits for none that the client does not send.
    async fn read(&self, io: &mut TokioIo<Upgraded>, length: usize) -> io::Result<()> {
        let has_end = self.script.client == Client::ShutDown;
        let left = self.script.sent.len() - self.with_app(|app| app.read.len());
        let mut length = if has_end { length } else { length.min(left) };
        let mut buffer = [0; 255];
        while length > 0 {
            let read = io.read(&mut buffer[..length]).await?;
            length -= read;
            self.with_app(|app| {
                app.read.extend(&buffer[..read]);
                app.is_over |= read == 0;
            });
            if read == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        io: &mut TokioIo<Upgraded>,
        mut first: &[u8],
        mut second: &[u8],
    ) -> io::Result<()> {
        while !first.is_empty() || !second.is_empty() {
            let written = match second {
                [] => io.write(first).await?,
                _ => {
                    let slices = [IoSlice::new(first), IoSlice::new(second)];
                    io.write_vectored(&slices).await?
                }
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let of_first = written.min(first.len());
            let (done, rest) = first.split_at(of_first);
            let (also_done, also_rest) = second.split_at(written - of_first);
            self.with_app(|app| app.written.extend([done, also_done].concat()));
            (first, second) = (rest, also_rest);
        }
        Ok(())
    }

    fn with_app<T>(&self, change: impl FnOnce(&mut App) -> T) -> T {
        change(&mut self.app.lock().expect("no panic"))
    }
}

type Accepted = Response<Empty<Bytes>>;

/// Returns the response to the client's handshake.
fn accepted(request: &Request<Incoming>) -> Accepted {
    let accept = derive_accept_key(request.headers()["sec-websocket-key"].as_bytes());
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept)
        .body(Empty::new())
        .expect("the head is valid")
}

impl Script {
    /// Returns the exception of the application, and of the server that closes all connections.
    pub fn websocket(&self) -> WebSocketException {
        WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason(self.reason.clone())
    }
}
