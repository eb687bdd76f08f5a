//! Clients: they open a connection, send requests, and check each response.

use std::{future::poll_fn, net::SocketAddr, pin::pin, task::Poll, time::Duration};

use futures_util::{SinkExt, StreamExt, future::join_all};
use http::{
    HeaderValue, Method,
    header::{CONTENT_TYPE, TE},
};
use tokio::{net::TcpStream, sync::Semaphore, time::sleep};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tower::BoxError;

use crate::{
    case::{Case, HTTP, Kind, STACKS, WEBSOCKET},
    connection::{Connection, Socket},
    expected::shown,
    ledger::LEDGER,
    mark::next_id,
    random::Random,
    support::{Client, PROTOCOLS, Protocol, Received, request, within},
};

/// Clients of this number leave in the middle, on average one of them.
const ONE_LEAVES_OF: u64 = 20;

/// Longest number of polls after which a client leaves: those of a visit with a few requests.
const MAX_POLLS: u64 = 24;

/// Longest pause before a client leaves, in milliseconds: about that before a failure.
const MAX_PAUSE: u64 = 8;

/// Highest number of requests on one connection.
const MAX_REQUESTS: u64 = 16;

/// Connections that are being opened at once. The backlog of a listener is shorter than the number
/// of clients: 1,024 of the server's, and less on many systems.
const CONNECTING_AT_ONCE: usize = 100;

/// The server that clients visit.
pub struct Target {
    address: SocketAddr,
    connecting: Semaphore,
    /// Longest pause before a request, in milliseconds.
    max_pause: u64,
}

impl Target {
    /// The pauses grow with the number of clients. Most of their connections are then open, and do
    /// not wait to be opened, on a machine that serves a thousand requests a second.
    pub fn new(address: SocketAddr, clients: u64) -> Self {
        Self {
            address,
            connecting: Semaphore::new(CONNECTING_AT_ONCE),
            max_pause: clients,
        }
    }

    fn pause(&self, random: &mut Random) -> Duration {
        Duration::from_millis(random.below(self.max_pause))
    }

    /// Opens a connection, and sends a first request on it.
    ///
    /// The first response says that the server has accepted the connection. Before that it is in
    /// the listener's backlog, and the kernel may reset a connection that found the backlog full.
    async fn connect(
        &self,
        protocol: Protocol,
        random: &mut Random,
    ) -> Result<Connection, BoxError> {
        let _permit = self.connecting.acquire().await?;
        let stream = within(TcpStream::connect(self.address)).await?;
        let mut connection = Connection::open(protocol, stream).await?;
        let case = Case::random(random, next_id(), &STACKS, &[Kind::Fine]);
        exchange(&mut connection.client, protocol, case).await;
        Ok(connection)
    }
}

/// Opens a connection and uses it. Some clients leave in the middle: their connection closes at
/// once.
pub async fn visit(target: &Target, random: &mut Random) {
    let leaves = random.below(ONE_LEAVES_OF) == 0;
    let (mut polls, pause) = (random.below(MAX_POLLS), random.below(MAX_PAUSE));
    let mut visit = pin!(stay(target, random));
    if !leaves {
        return visit.await;
    }
    let has_stayed = poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(false);
        }
        polls -= 1;
        visit.as_mut().poll(cx).map(|()| true)
    });
    if !has_stayed.await {
        LEDGER.client_left();
        sleep(Duration::from_millis(pause)).await;
    }
}

async fn stay(target: &Target, random: &mut Random) {
    let protocol = random.one_of(&PROTOCOLS);
    let mut connection = match target.connect(protocol, random).await {
        Ok(connection) => connection,
        Err(error) => return LEDGER.fault(format!("cannot connect: {error:?}")),
    };
    let _connected = LEDGER.connected();
    if random.below(3) == 0 {
        // An unconfigured layer knows nothing of WebSockets.
        let case = Case::random(random, next_id(), &STACKS[1..], &WEBSOCKET);
        let pause = target.pause(random);
        return play(&mut connection, protocol, case, pause).await;
    }
    let count = 1 + random.below(MAX_REQUESTS);
    match &mut connection.client {
        Client::Http1(_) => {
            for _ in 0..count {
                // A status after the head takes trailers, which this client does not accept.
                let kinds = HTTP.map(|kind| {
                    if kind.is_grpc_stream() {
                        Kind::Fine
                    } else {
                        kind
                    }
                });
                let case = Case::random(random, next_id(), &STACKS, &kinds);
                sleep(target.pause(random)).await;
                exchange(&mut connection.client, protocol, case).await;
                if case.kind.is_cut_short() {
                    return;
                }
            }
        }
        Client::Http2(sender) => {
            let exchanges = (0..count).map(|_| {
                let case = Case::random(random, next_id(), &STACKS, &HTTP);
                let pause = target.pause(random);
                let mut client = Client::Http2(sender.clone());
                async move {
                    sleep(pause).await;
                    exchange(&mut client, protocol, case).await;
                }
            });
            join_all(exchanges).await;
        }
    }
}

/// Sends a request over HTTP, and checks the response.
async fn exchange(client: &mut Client, protocol: Protocol, case: Case) {
    let method = if case.kind.is_grpc() {
        Method::POST
    } else {
        Method::GET
    };
    let mut request = request(method, &case.path());
    if case.kind.is_grpc() {
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    let exchange = LEDGER.begin(case);
    let line = match client.send(request).await {
        Ok(response) => shown(&Received::read(response).await.0),
        Err(error) => format!("{error:?}"),
    };
    exchange.finish(protocol, &line);
}

/// Opens a WebSocket, and checks its messages and its close frame.
async fn play(connection: &mut Connection, protocol: Protocol, case: Case, pause: Duration) {
    let exchange = LEDGER.begin(case);
    let line = match connection.websocket(&case.path()).await {
        Ok(Ok(socket)) => converse(socket, case, pause).await,
        Ok(Err(rejection)) => shown(&rejection),
        Err(error) => format!("{error:?}"),
    };
    exchange.finish(protocol, &line);
}

/// Sends a message after the pause, if the server waits for one. Returns all that the server sends.
async fn converse(mut socket: Socket, case: Case, pause: Duration) -> String {
    let mut lines = Vec::new();
    if case.kind.is_after_handshake() {
        sleep(pause).await;
        let hello = format!("hello of {}", case.mark());
        if let Err(error) = within(socket.send(hello.into())).await {
            lines.push(format!("cannot send: {error:?}"));
        }
    }
    while let Some(message) = within(socket.next()).await {
        match message {
            Ok(Message::Text(text)) => {
                lines.push(format!("echoed {text}"));
                if case.kind == Kind::Polite {
                    let frame = CloseFrame {
                        code: CloseCode::Normal,
                        reason: format!("bye of {}", case.mark()).into(),
                    };
                    if let Err(error) = within(socket.close(Some(frame))).await {
                        lines.push(format!("cannot close: {error:?}"));
                    }
                }
            }
            Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                lines.push(format!("closed {} {reason}", u16::from(code)));
            }
            Ok(other) => lines.push(format!("{other:?}")),
            Err(error) => {
                lines.push(format!("{error:?}"));
                break;
            }
        }
    }
    lines.join(", ")
}
