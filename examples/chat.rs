//! Chat room in axum: exceptions in a WebSocket server.
//!
//! ```sh
//! cargo run --example chat --features axum,websocket
//! cargo run --example chat --features axum,websocket -- 0.0.0.0:8080
//! ```
//!
//! - A client without the token is refused with 4401, before the handshake is answered.
//! - A member that says a forbidden word is expelled with 1008, by a `?` in the conversation.
//! - A member that reads too slowly is expelled with 1013, by a handler for an error of tokio's.
//! - When the server stops (Ctrl-C or SIGTERM), every connection is closed with 1012.
//!
//! The page shows the code and the reason with which its connection was closed.

use std::{env, io};

use axum::{
    Router,
    extract::{
        Query, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::{Html, Response},
    routing::{any, get},
};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::{broadcast::error::RecvError, oneshot},
};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, Outcome, WebSocketException, WebSocketHandle, WebSockets,
};

#[path = "chat/room.rs"]
mod room;
#[path = "chat/stop.rs"]
mod stop;

use room::{Member, Room};

/// Token that a client must send. A real server issues a short-lived token for each user.
const TOKEN: &str = "plumbus";

/// HTTP's 401, in the range of close codes for private use (RFC 6455, section 7.4.2).
const UNAUTHORIZED: CloseCode = match CloseCode::from_u16(4401) {
    Ok(code) => code,
    Err(_) => panic!("4000 to 4999 are for private use"),
};

/// Longest message that is read: 64 KiB is more than any line of a chat.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Query of the request. It holds the token because a page cannot set the headers of a WebSocket.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ticket {
    name: String,
    token: String,
}

/// Answers the handshake. Until then, an exception is the handler's error, and the page receives
/// its code and reason.
async fn chat(
    State(room): State<Room>,
    Query(ticket): Query<Ticket>,
    upgrade: WebSocketUpgrade,
    exceptions: WebSocketHandle,
) -> Result<Response, WebSocketException> {
    if ticket.token != TOKEN {
        return Err(WebSocketException::new(UNAUTHORIZED).with_reason("this room takes a token"));
    }
    let conversation = move |socket| converse(socket, room.join(ticket.name));
    Ok(upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .on_upgrade(exceptions.catch(conversation)))
}

/// Runs after the handshake. An error that it returns closes the connection: a `WebSocketException`
/// with its code and reason, any other error as its handler says, or with 1011.
async fn converse(mut socket: WebSocket, mut member: Member) -> tower_exception::Result<()> {
    loop {
        tokio::select! {
            message = socket.recv() => match message.transpose()? {
                Some(Message::Text(text)) => member.say(&text)?,
                Some(Message::Binary(_)) => {
                    let exception = WebSocketException::new(CloseCode::UNSUPPORTED_DATA);
                    return Err(exception.with_reason("text only, please").into());
                }
                // axum answers pings and close frames.
                Some(_) => {}
                None => return Ok(()),
            },
            line = member.hear() => socket.send(Message::Text(line?)).await?,
        }
    }
}

/// Handles the error of a member that has not read the lines before the room dropped them.
fn too_slow(_: Caught<RecvError>) -> WebSocketException {
    WebSocketException::new(CloseCode::TRY_AGAIN_LATER).with_reason("you read too slowly")
}

fn log(caught: &Caught, outcome: Outcome) {
    let path = caught.request().uri().path();
    eprintln!("{path}: {caught} -> {outcome:?}");
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let websockets = WebSockets::new();
    let exceptions = ExceptionLayer::new()
        .with_websockets(websockets.clone())
        .on(too_slow)
        .observe(log);
    let app = Router::new()
        .route("/", get(Html(include_str!("chat/page.html"))))
        .route("/chat", any(chat))
        .with_state(Room::default())
        .layer(exceptions);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("http://{}", listener.local_addr()?);

    // On a request to stop, axum accepts no more connections and waits for the requests in
    // progress. It does not wait for WebSockets, so `shut_down` closes them meanwhile.
    let (stopping, stopped) = oneshot::channel();
    let serve = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let close = async {
        stop::requested().await?;
        let _ = stopping.send(());
        let restart = WebSocketException::new(CloseCode::SERVICE_RESTART);
        websockets
            .shut_down(restart.with_reason("the server restarts"))
            .await;
        Ok(())
    };
    tokio::try_join!(serve.into_future(), close)?;
    Ok(())
}
