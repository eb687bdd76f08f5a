//! The HTTP/1.1 exchange in memory by which hyper makes the application's `OnUpgrade`.

use std::{io, task::Poll};

use tokio::io::ReadBuf;

/// Handshake that hyper serves over the intercepted I/O before the application gets it.
///
/// It supplies the bytes of a request and discards those of the response.
#[derive(Default)]
pub(crate) struct LoopbackHandshake {
    /// Number of bytes of [`REQUEST`] that have been read.
    request_read: usize,
    /// Number of bytes of [`END_OF_HEAD`] that the discarded bytes end with.
    end_matched: usize,
}

/// CONNECT, because hyper makes an upgrade of it without a header
/// ([RFC 9110, section 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)). hyper does
/// not look at its target.
const REQUEST: &[u8] = b"CONNECT a:1 HTTP/1.1\r\n\r\n";

/// End of a response's head
/// ([RFC 9112, section 2.1](https://www.rfc-editor.org/rfc/rfc9112#section-2.1)).
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

impl LoopbackHandshake {
    /// Returns whether the whole response has been discarded.
    pub(crate) fn is_finished(&self) -> bool {
        self.end_matched == END_OF_HEAD.len()
    }

    /// Reads the request. Returns `None` if the handshake is finished.
    pub(crate) fn poll_read(&mut self, buffer: &mut ReadBuf<'_>) -> Option<Poll<io::Result<()>>> {
        if self.is_finished() {
            return None;
        }
        let rest = &REQUEST[self.request_read..];
        if rest.is_empty() {
            // There is nothing to read until the response has been written.
            return Some(Poll::Pending);
        }
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.request_read += length;
        Some(Poll::Ready(Ok(())))
    }

    /// Discards bytes up to the end of the response's head, and returns their number. Returns
    /// `None` if the handshake is finished.
    pub(crate) fn discard(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_finished() {
            return None;
        }
        let mut discarded = 0;
        for byte in bytes {
            discarded += 1;
            self.end_matched = match *byte {
                byte if byte == END_OF_HEAD[self.end_matched] => self.end_matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.is_finished() {
                break;
            }
        }
        Some(discarded)
    }
}
