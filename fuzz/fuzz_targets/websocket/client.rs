//! A client in bytes, over memory.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf},
    sync::Notify,
    task::yield_now,
};
use tower_exception_fuzz::frames::{self, Frames};

use crate::script::{Client, Script};

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Events that the half which writes waits for.
#[derive(Default)]
struct Seen {
    head: Notify,
    close: Notify,
    end: Notify,
}

/// Runs the client of a script. Returns the bytes after the head of the response.
pub async fn run(script: &Script, io: DuplexStream) -> Vec<u8> {
    let (reader, writer) = tokio::io::split(io);
    let seen = Seen::default();
    let mut received = Vec::new();
    let reading = receive(&mut received, &seen, reader);
    let writing = send(script, &seen, writer);
    if script.client == Client::Vanish {
        tokio::select! {
            () = reading => {}
            _ = writing => {}
        }
    } else {
        // The connection is whole until both directions have ended.
        let ((), _writer) = tokio::join!(reading, writing);
    }
    let end = end_of_head(&received).unwrap_or(received.len());
    received.split_off(end)
}

async fn receive(received: &mut Vec<u8>, seen: &Seen, mut io: ReadHalf<DuplexStream>) {
    let mut head = None;
    while let Ok(1..) = io.read_buf(received).await {
        head = head.or_else(|| end_of_head(received));
        if let Some(head) = head {
            seen.head.notify_one();
            if Frames::of(&received[head..]).has_close {
                seen.close.notify_one();
            }
        }
    }
    seen.head.notify_one();
    seen.end.notify_one();
}

async fn send(
    script: &Script,
    seen: &Seen,
    mut io: WriteHalf<DuplexStream>,
) -> WriteHalf<DuplexStream> {
    let mut pieces = script.sent.chunks(script.cut);
    let first = match script.is_eager {
        true => pieces.next().unwrap_or_default(),
        false => &[],
    };
    let _ = io.write_all(&[HANDSHAKE, first].concat()).await;
    seen.head.notified().await;
    for piece in pieces {
        if io.write_all(piece).await.is_err() {
            break;
        }
        yield_now().await;
    }
    match script.client {
        Client::Hold => seen.end.notified().await,
        Client::Answer => tokio::select! {
            () = seen.end.notified() => {}
            () = seen.close.notified() => {
                let close = frames::encode(0x88, Some([1, 2, 3, 4]), 1, &1000_u16.to_be_bytes());
                let _ = io.write_all(&close).await;
            }
        },
        Client::ShutDown => drop(io.shutdown().await),
        Client::Vanish => {}
    }
    io
}

fn end_of_head(received: &[u8]) -> Option<usize> {
    let end = received.windows(4).position(|it| it == b"\r\n\r\n")?;
    Some(end + 4)
}
