use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Frames, close_frame};
use crate::{CloseCode, WebSocketException, interrupt::quietly};

/// The real connection, and how far the frames have come in either direction.
pub struct Wire {
    io: TokioIo<Upgraded>,
    sent: Frames,
    received: Frames,
    /// The peer is gone, or speaks another protocol, or nothing is to be said to it.
    over: bool,
}

impl Wire {
    pub fn new(io: Upgraded, is_websocket: bool) -> Self {
        Self {
            io: TokioIo::new(io),
            sent: Frames::default(),
            received: Frames::default(),
            over: !is_websocket,
        }
    }

    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let had_room = buffer.remaining() > 0;
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        let read_bytes = &buffer.filled()[before..];
        self.received.pass(read_bytes);
        self.over |= read.is_err() || (had_room && read_bytes.is_empty());
        Poll::Ready(read)
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        match written {
            Ok(length) => self.sent.pass(&bytes[..length]),
            Err(_) => self.over = true,
        }
        Poll::Ready(written)
    }

    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        match written {
            Ok(mut length) => {
                for slice in slices {
                    let passed = slice.len().min(length);
                    self.sent.pass(&slice[..passed]);
                    length -= passed;
                }
            }
            Err(_) => self.over = true,
        }
        Poll::Ready(written)
    }

    pub fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.over = true;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Whether a close frame can be sent: none was, no other frame is half sent, and the peer is there.
    pub fn takes_close(&self) -> bool {
        !self.over && self.sent.between() && self.sent.closed().is_none()
    }

    /// Whether there is anything to wait for: a close frame is out, and the peer has not answered it.
    pub fn awaits_close(&self) -> bool {
        !self.over && self.sent.closed().is_some() && self.received.closed().is_none()
    }

    /// The code of the peer's close frame, which is to be repeated to it
    /// ([RFC 6455, section 5.5.1](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1)).
    pub fn code_of_peer(&self) -> Option<CloseCode> {
        self.received.closed().flatten()
    }

    /// Lets go of the connection without a word.
    pub fn cut(mut self) {
        self.over = true;
    }
}

/// A connection that goes down with its runtime gets no task to be closed by. What its socket takes at once
/// is what can be said.
impl Drop for Wire {
    fn drop(&mut self) {
        if self.takes_close() {
            let frame = close_frame(&WebSocketException::new(CloseCode::GOING_AWAY));
            let mut cx = Context::from_waker(Waker::noop());
            // The stream is other people's code, which may need what is no longer there.
            quietly(|| {
                if self.poll_write(&mut cx, &frame).is_ready() {
                    let _ = self.poll_flush(&mut cx);
                }
            });
        }
    }
}
