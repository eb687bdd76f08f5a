//! What hyper sees of the connection that it is to upgrade, before the application has it.

use std::{io, task::Poll};

use tokio::io::ReadBuf;

/// The request that is served over the guard, and the answer that it swallows.
#[derive(Default)]
pub struct Exchange {
    given: usize,
    /// How much of [`END_OF_HEAD`] was the last that was swallowed.
    matched: usize,
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

impl Exchange {
    pub fn is_over(&self) -> bool {
        self.matched == END_OF_HEAD.len()
    }

    /// Gives the request; `None` once the exchange is over.
    pub fn poll_read(&mut self, buffer: &mut ReadBuf<'_>) -> Option<Poll<io::Result<()>>> {
        if self.is_over() {
            return None;
        }
        let rest = &REQUEST[self.given..];
        if rest.is_empty() {
            // Nothing more will come before the answer has gone out.
            return Some(Poll::Pending);
        }
        let given = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..given]);
        self.given += given;
        Some(Poll::Ready(Ok(())))
    }

    /// Swallows the answer, to the end of its head: how many bytes. `None` once the exchange is over.
    pub fn swallow(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_over() {
            return None;
        }
        let mut swallowed = 0;
        for byte in bytes {
            swallowed += 1;
            self.matched = match *byte {
                byte if byte == END_OF_HEAD[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.is_over() {
                break;
            }
        }
        Some(swallowed)
    }
}
