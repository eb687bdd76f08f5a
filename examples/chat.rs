//! A chat room in axum: what a WebSocket server does with exceptions.
//!
//! ```sh
//! cargo run --example chat --features axum,websocket
//! cargo run --example chat --features axum,websocket -- 0.0.0.0:8080
//! ```
//!
//! - Who comes without the token is refused with 4401, before the handshake is answered.
//! - Who says a forbidden word is thrown out with 1008, by a `?` in the middle of the conversation.
//! - Who reads too slowly is told so with 1013: an error of tokio's, and a handler for its type.
//! - When the server goes down (Ctrl-C, or SIGTERM), everybody learns of it by 1012.
//!
//! The page shows the code and the reason that its connection was closed with.

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
use tower::BoxError;
use tower_exception::{
    Answer, Caught, CloseCode, ExceptionLayer, UpgradeHandle, WebSocketException,
};

#[path = "chat/room.rs"]
mod room;
#[path = "chat/stop.rs"]
mod stop;

use room::{Member, Room};

/// What a guest has to know. A real server looks up a token that it gave out for one person and a short time.
const TOKEN: &str = "plumbus";

/// HTTP's 401, in the range of codes that is free to use.
const UNAUTHORIZED: CloseCode = match CloseCode::new(4401) {
    Ok(code) => code,
    Err(_) => panic!("4000 to 4999 are free to use"),
};

/// More than this at once is no line of a chat.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// What a guest shows at the door. It is in the query because a page cannot set the headers of a WebSocket.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ticket {
    name: String,
    token: String,
}

/// Before the handshake is answered, an exception is the handler's error. The page sees its code and reason all
/// the same.
async fn chat(
    State(room): State<Room>,
    Query(ticket): Query<Ticket>,
    upgrade: WebSocketUpgrade,
    exceptions: UpgradeHandle,
) -> Result<Response, WebSocketException> {
    if ticket.token != TOKEN {
        return Err(WebSocketException::new(UNAUTHORIZED).with_reason("this room takes a token"));
    }
    let conversation = move |socket| converse(socket, room.join(ticket.name));
    Ok(upgrade
        .max_message_size(LONGEST_MESSAGE)
        .on_upgrade(exceptions.catch(conversation)))
}

/// After the handshake, whatever comes out of here by a `?` closes the connection: a `WebSocketException` with
/// its code and reason, any other error as its handler says, or with 1011.
async fn converse(mut socket: WebSocket, mut member: Member) -> Result<(), BoxError> {
    loop {
        tokio::select! {
            message = socket.recv() => match message.transpose()? {
                Some(Message::Text(text)) => member.say(&text)?,
                Some(Message::Binary(_)) => {
                    let exception = WebSocketException::new(CloseCode::UNSUPPORTED_DATA);
                    return Err(exception.with_reason("text only, please").into());
                }
                // axum answers a ping, and a close frame.
                Some(_) => {}
                None => return Ok(()),
            },
            line = member.hear() => socket.send(Message::Text(line?)).await?,
        }
    }
}

/// The room has moved on by more lines than it keeps for one who has not read them.
fn too_slow(_: Caught<RecvError>) -> WebSocketException {
    WebSocketException::new(CloseCode::TRY_AGAIN_LATER).with_reason("you read too slowly")
}

fn log(caught: &Caught, answer: Answer) {
    eprintln!("{}: {caught} -> {answer:?}", caught.request().uri().path());
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let exceptions = ExceptionLayer::new()
        .with_upgrades()
        .on(too_slow)
        .observe(log);
    let upgrades = exceptions.upgrades();
    let app = Router::new()
        .route("/", get(Html(include_str!("chat/page.html"))))
        .route("/chat", any(chat))
        .with_state(Room::default())
        .layer(exceptions);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("http://{}", listener.local_addr()?);

    // From the moment that the server is to stop, nobody new is let in. axum waits for the requests that it has, but
    // not for those that have become WebSockets: they are closed meanwhile.
    let (stopping, stopped) = oneshot::channel();
    let serve = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let close = async {
        stop::requested().await?;
        let _ = stopping.send(());
        let restart = WebSocketException::new(CloseCode::SERVICE_RESTART);
        upgrades
            .close_all(restart.with_reason("the server restarts"))
            .await;
        Ok(())
    };
    tokio::try_join!(serve.into_future(), close)?;
    Ok(())
}
