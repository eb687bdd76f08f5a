//! The server's I/O of an upgraded connection, with the frames of both directions tracked.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    frame::{SentFrames, close_frame},
    peer_frames::{Extensions, PeerFrames},
};
use crate::{
    exception::{CloseCode, WebSocketException},
    unwind::ignore_panic,
};

/// I/O of an upgraded connection that tracks the frames of both directions.
///
/// Dropped at a frame boundary without a close frame, it tries to send 1001, or the code that the
/// peer's frames call for.
pub(crate) struct TrackedIo {
    io: TokioIo<Upgraded>,
    sent: SentFrames,
    received: PeerFrames,
    /// Whether no close frame is to be sent or awaited: the peer is gone, the protocol is not
    /// WebSocket, or the connection has been shut down or aborted.
    defunct: bool,
}

impl TrackedIo {
    /// Takes the I/O of a WebSocket with these extensions, or of another protocol.
    pub(crate) fn new(io: Upgraded, websocket: Option<Extensions>) -> Self {
        Self {
            io: TokioIo::new(io),
            sent: SentFrames::default(),
            received: PeerFrames::new(websocket.unwrap_or_default()),
            defunct: websocket.is_none(),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buffer.filled().len();
        let had_room = buffer.remaining() > 0;
        let result = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        let bytes = &buffer.filled()[filled_before..];
        self.received.advance(bytes);
        self.defunct |= result.is_err() || (had_room && bytes.is_empty());
        Poll::Ready(result)
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        match result {
            Ok(written) => self.sent.advance(&bytes[..written]),
            Err(_) => self.defunct = true,
        }
        Poll::Ready(result)
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        match result {
            Ok(mut written) => {
                for slice in slices {
                    let length = slice.len().min(written);
                    self.sent.advance(&slice[..length]);
                    written -= length;
                }
            }
            Err(_) => self.defunct = true,
        }
        Poll::Ready(result)
    }

    pub(crate) fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.defunct = true;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Returns whether a close frame can be sent: none has been sent, no other frame has been sent
    /// in part, and the peer is there.
    pub(crate) fn can_send_close(&self) -> bool {
        !self.defunct && self.sent.at_boundary() && !self.sent.has_close()
    }

    /// Returns whether a close frame has been sent and the peer's has not arrived.
    pub(crate) fn awaits_close(&self) -> bool {
        !self.defunct && self.sent.has_close() && !self.received.has_close()
    }

    /// Returns whether the peer has sent a close frame.
    pub(crate) fn has_peer_closed(&self) -> bool {
        self.received.has_close()
    }

    /// Returns whether the connection is over: it has ended, failed or been shut down.
    pub(crate) fn is_defunct(&self) -> bool {
        self.defunct
    }

    /// Returns the code to fail the connection with, if a frame of the peer was not valid
    /// ([RFC 6455, section 7.1.7](https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7)).
    pub(crate) fn peer_fault(&self) -> Option<CloseCode> {
        self.received.fault()
    }

    /// Returns the code that the peer's frames call for: that of their first fault, or that of its
    /// close frame, which the reply repeats
    /// ([RFC 6455, section 5.5.1](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1)).
    pub(crate) fn code_for_peer(&self) -> Option<CloseCode> {
        self.peer_fault().or_else(|| self.received.close_code())
    }

    /// Shuts the connection down if no close frame is to be sent or awaited. Returns whether that
    /// was done, which requires that the I/O does not have to wait.
    pub(crate) fn try_shutdown(&mut self) -> bool {
        if self.can_send_close() || self.awaits_close() {
            return false;
        }
        let mut cx = Context::from_waker(Waker::noop());
        let mut is_done = true;
        // The stream is user code, which may panic. It is over then too.
        ignore_panic(|| {
            is_done = match self.poll_flush(&mut cx) {
                Poll::Ready(Ok(())) => self.poll_shutdown(&mut cx).is_ready(),
                Poll::Ready(Err(_)) => true,
                Poll::Pending => false,
            };
        });
        is_done
    }

    /// Drops the connection without a close frame.
    pub(crate) fn abort(mut self) {
        self.defunct = true;
    }
}

impl Drop for TrackedIo {
    fn drop(&mut self) {
        // On runtime shutdown no task can run the closing handshake, so make one non-blocking
        // attempt to send a close frame.
        if self.can_send_close() {
            let code = self.code_for_peer().unwrap_or(CloseCode::GOING_AWAY);
            let frame = close_frame(&WebSocketException::new(code));
            let mut cx = Context::from_waker(Waker::noop());
            // The stream is user code, which may panic: its runtime may be gone.
            ignore_panic(|| {
                if self.poll_write(&mut cx, &frame).is_ready() {
                    let _ = self.poll_flush(&mut cx);
                }
            });
        }
    }
}
