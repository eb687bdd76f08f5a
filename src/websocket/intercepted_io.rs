//! The I/O that the application gets in place of the server's.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    connection::Connection, io::TrackedIo, loopback::LoopbackHandshake, wakers::Direction,
};

/// I/O of the application. Dropped without a close frame, it closes the connection with one.
pub(crate) struct InterceptedIo {
    connection: Arc<Connection>,
    handshake: LoopbackHandshake,
}

impl InterceptedIo {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            handshake: LoopbackHandshake::default(),
        }
    }
}

impl AsyncRead for InterceptedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(poll) = self.handshake.poll_read(buffer) {
            return poll;
        }
        let read = |io: &mut TrackedIo, cx: &mut Context<'_>| io.poll_read(cx, buffer);
        self.connection.poll_io(cx, Direction::Read, read)
    }
}

impl AsyncWrite for InterceptedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(discarded) = self.handshake.discard(bytes) {
            return Poll::Ready(Ok(discarded));
        }
        self.connection
            .poll_io(cx, Direction::Write, |io, cx| io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.iter().find(|slice| !slice.is_empty()) {
            if let Some(discarded) = self.handshake.discard(first) {
                return Poll::Ready(Ok(discarded));
            }
        }
        self.connection.poll_io(cx, Direction::Write, |io, cx| {
            io.poll_write_vectored(cx, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.handshake.is_finished() {
            return Poll::Ready(Ok(()));
        }
        self.connection
            .poll_io(cx, Direction::Write, TrackedIo::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.handshake.is_finished() {
            return Poll::Ready(Ok(()));
        }
        self.connection
            .poll_io(cx, Direction::Write, TrackedIo::poll_shutdown)
    }
}

impl Drop for InterceptedIo {
    fn drop(&mut self) {
        self.connection.on_io_dropped();
    }
}
