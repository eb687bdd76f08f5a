//! The room and who is in it. Nothing in here knows of sockets.

use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};
use tower_exception::{CloseCode, WebSocketException};

const FORBIDDEN_WORDS: [&str; 2] = ["crypto", "nft"];
const LONGEST_LINE: usize = 1000;

/// How many lines are kept for a member who has yet to read them.
const KEPT_LINES: usize = 256;

#[derive(Clone)]
pub struct Room(broadcast::Sender<Utf8Bytes>);

impl Default for Room {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT_LINES))
    }
}

impl Room {
    /// Lets somebody in, who hears from now on what is said.
    pub fn join(&self, name: String) -> Member {
        let member = Member {
            name,
            room: self.clone(),
            lines: self.0.subscribe(),
        };
        member.tell(json!({ "joined": member.name }));
        member
    }
}

/// Somebody in the room, until dropped.
pub struct Member {
    name: String,
    room: Room,
    lines: broadcast::Receiver<Utf8Bytes>,
}

impl Member {
    /// Says something to everybody.
    ///
    /// # Errors
    ///
    /// Where it is not to be said: the exception that throws the member out.
    pub fn say(&self, text: &str) -> Result<(), WebSocketException> {
        if text.len() > LONGEST_LINE {
            return Err(WebSocketException::new(CloseCode::MESSAGE_TOO_BIG)
                .with_reason("that is a novel, and this is a chat"));
        }
        if let Some(word) = forbidden_word(text) {
            return Err(WebSocketException::new(CloseCode::POLICY_VIOLATION)
                .with_reason(format!("we do not say “{word}” in here")));
        }
        self.tell(json!({ "name": self.name, "text": text }));
        Ok(())
    }

    /// The next line of the chat.
    ///
    /// # Errors
    ///
    /// Where it is gone, because the member was too slow.
    pub async fn hear(&mut self) -> Result<Utf8Bytes, RecvError> {
        self.lines.recv().await
    }

    fn tell(&self, line: Value) {
        // Where nobody listens, nobody is told.
        let _ = self.room.0.send(line.to_string().into());
    }
}

/// However the conversation ended: by an exception, a panic, or a closed laptop.
impl Drop for Member {
    fn drop(&mut self) {
        self.tell(json!({ "left": self.name }));
    }
}

fn forbidden_word(text: &str) -> Option<&str> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .find(|word| FORBIDDEN_WORDS.contains(&word.to_lowercase().as_str()))
}
