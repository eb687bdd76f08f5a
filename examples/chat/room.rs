//! Chat room and its members, independent of sockets.

use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};
use tower_exception::{CloseCode, WebSocketException};

const FORBIDDEN_WORDS: [&str; 2] = ["crypto", "nft"];
/// Longest line that a member may say: 1000 bytes is more than anyone types in a chat.
const MAX_LINE_BYTES: usize = 1000;

/// Number of lines that the room buffers for a slow member: 256 last for minutes of chat.
const BUFFERED_LINES: usize = 256;

#[derive(Clone)]
pub struct Room(broadcast::Sender<Utf8Bytes>);

impl Default for Room {
    fn default() -> Self {
        Self(broadcast::Sender::new(BUFFERED_LINES))
    }
}

impl Room {
    /// Adds a member, who receives every line from now on.
    pub fn join(&self, name: String) -> Member {
        let member = Member {
            name,
            room: self.clone(),
            lines: self.0.subscribe(),
        };
        member.broadcast(json!({ "joined": member.name }));
        member
    }
}

/// Member of the room, until it is dropped.
pub struct Member {
    name: String,
    room: Room,
    lines: broadcast::Receiver<Utf8Bytes>,
}

impl Member {
    /// Sends a line to every member.
    ///
    /// # Errors
    ///
    /// Returns the exception that expels the member if the line is too long or has a forbidden
    /// word.
    pub fn say(&self, text: &str) -> Result<(), WebSocketException> {
        if text.len() > MAX_LINE_BYTES {
            return Err(WebSocketException::new(CloseCode::MESSAGE_TOO_BIG)
                .with_reason("that is a novel, and this is a chat"));
        }
        if let Some(word) = forbidden_word(text) {
            return Err(WebSocketException::new(CloseCode::POLICY_VIOLATION)
                .with_reason(format!("we do not say “{word}” in here")));
        }
        self.broadcast(json!({ "name": self.name, "text": text }));
        Ok(())
    }

    /// Returns the next line of the chat.
    ///
    /// # Errors
    ///
    /// Returns an error if the line is no longer buffered, because the member was too slow.
    pub async fn hear(&mut self) -> Result<Utf8Bytes, RecvError> {
        self.lines.recv().await
    }

    fn broadcast(&self, line: Value) {
        // An error means that the room is empty.
        let _ = self.room.0.send(line.to_string().into());
    }
}

/// Announces that the member has left, in every case: after an exception, a panic or a closed
/// laptop.
impl Drop for Member {
    fn drop(&mut self) {
        self.broadcast(json!({ "left": self.name }));
    }
}

fn forbidden_word(text: &str) -> Option<&str> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .find(|word| FORBIDDEN_WORDS.contains(&word.to_lowercase().as_str()))
}
