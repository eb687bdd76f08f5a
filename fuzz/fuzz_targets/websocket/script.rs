//! Script of a client and an application on one connection.

use std::time::Duration;

use tower_exception::{CloseCode, WebSockets};
use tower_exception_fuzz::{frames, input::Input};

/// Longest time for the closing handshake.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Script of a client and an application on one connection.
pub struct Script {
    pub ending: Ending,
    /// Whether the application catches its failures by the handle.
    pub is_caught: bool,
    pub on_drop: Option<CloseCode>,
    /// Reason of the exception.
    pub reason: String,
    pub client: Client,
    /// Capacity of the connection in each direction, in bytes.
    pub capacity: usize,
    /// Largest number of bytes that the client sends at once.
    pub cut: usize,
    /// Whether the client sends its first bytes together with the handshake.
    pub is_eager: bool,
    /// All bytes of the client.
    pub sent: Vec<u8>,
    pub steps: Vec<Step>,
}

/// A way in which the application ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Drops the connection.
    Drop,
    /// Returns an error that is no exception.
    Error,
    ErrorHttp,
    ErrorWebSocket,
    Raise,
    RaiseHttp,
    RaiseAsync,
    Panic,
    /// Drops the connection, then returns an exception.
    DropThenError,
    /// Its task is aborted.
    Abort,
    /// Goes on, but the server closes all connections.
    CloseAll,
}

/// A client's conduct after it has sent its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Reads on.
    Hold,
    /// Answers the first close frame.
    Answer,
    /// Sends no more, and reads on.
    ShutDown,
    /// Is gone.
    Vanish,
}

/// One step of the application.
pub enum Step {
    Read(usize),
    Write(Vec<u8>),
    WriteVectored(Vec<u8>, Vec<u8>),
    Flush,
    Yield,
    ShutDown,
}

const ENDINGS: [Ending; 11] = [
    Ending::Drop,
    Ending::Error,
    Ending::ErrorHttp,
    Ending::ErrorWebSocket,
    Ending::Raise,
    Ending::RaiseHttp,
    Ending::RaiseAsync,
    Ending::Panic,
    Ending::DropThenError,
    Ending::Abort,
    Ending::CloseAll,
];

const CLIENTS: [Client; 4] = [
    Client::Hold,
    Client::Answer,
    Client::ShutDown,
    Client::Vanish,
];

/// First bytes of most frames: texts, fragments, control frames.
const FIRST_BYTES: [u8; 10] = [0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8a, 0x02, 0x8b];

impl Script {
    pub fn read(bytes: &[u8]) -> Self {
        let mut input = Input::new(bytes);
        let mut script = Self {
            ending: input.choose(&ENDINGS),
            is_caught: input.choose(&[true, false]),
            on_drop: input.choose(&[
                Some(CloseCode::NORMAL_CLOSURE),
                Some(CloseCode::GOING_AWAY),
                None,
            ]),
            client: input.choose(&CLIENTS),
            capacity: input.choose(&[4096, 64, 3, 1]),
            cut: input.choose(&[4096, 1, 2, 5]),
            is_eager: input.choose(&[false, true]),
            reason: input.text(),
            sent: Vec::new(),
            steps: Vec::new(),
        };
        while !input.is_empty() && script.steps.len() < 64 {
            script.read_part(&mut input);
        }
        script
    }

    fn read_part(&mut self, input: &mut Input<'_>) {
        let step = match input.choose(b"abcdefghij") {
            b'a' => {
                let first = input.choose(&FIRST_BYTES);
                let width = input.choose(&[1, 3, 9]);
                self.sent.extend(client_frame(first, width, input.piece()));
                return;
            }
            b'b' => {
                let first = input.byte();
                self.sent.extend(client_frame(first, 1, input.piece()));
                return;
            }
            b'c' => {
                self.sent.extend(input.piece());
                return;
            }
            b'd' => Step::Read(usize::from(input.byte())),
            b'e' => {
                let first = input.choose(&FIRST_BYTES);
                let width = input.choose(&[1, 3, 9]);
                Step::Write(frames::encode(first, None, width, input.piece()))
            }
            b'f' => Step::Write(input.piece().to_vec()),
            b'g' => Step::WriteVectored(input.piece().to_vec(), input.piece().to_vec()),
            b'h' => Step::Flush,
            b'i' => Step::ShutDown,
            _ => Step::Yield,
        };
        self.steps.push(step);
    }

    pub fn websockets(&self) -> WebSockets {
        WebSockets::new()
            .close_timeout(CLOSE_TIMEOUT)
            .close_on_drop(self.on_drop)
    }
}

fn client_frame(first: u8, width: usize, payload: &[u8]) -> Vec<u8> {
    frames::encode(first, Some([0x12, 0x34, 0x56, 0x78]), width, payload)
}
