use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    connection::{Connection, Direction},
    exchange::Exchange,
    wire::Wire,
};

/// The connection, as the application has it. Dropped without a close frame, it sends one.
pub struct Guard {
    connection: Arc<Connection>,
    exchange: Exchange,
}

impl Guard {
    pub fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            exchange: Exchange::default(),
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(read) = self.exchange.poll_read(buffer) {
            return read;
        }
        let read = |wire: &mut Wire, cx: &mut Context<'_>| wire.poll_read(cx, buffer);
        self.connection.poll(cx, Direction::Read, read)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(swallowed) = self.exchange.swallow(bytes) {
            return Poll::Ready(Ok(swallowed));
        }
        self.connection
            .poll(cx, Direction::Write, |wire, cx| wire.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.iter().find(|slice| !slice.is_empty()) {
            if let Some(swallowed) = self.exchange.swallow(first) {
                return Poll::Ready(Ok(swallowed));
            }
        }
        self.connection.poll(cx, Direction::Write, |wire, cx| {
            wire.poll_write_vectored(cx, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.exchange.is_over() {
            return Poll::Ready(Ok(()));
        }
        self.connection
            .poll(cx, Direction::Write, |wire, cx| wire.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.exchange.is_over() {
            return Poll::Ready(Ok(()));
        }
        self.connection
            .poll(cx, Direction::Write, |wire, cx| wire.poll_shutdown(cx))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.connection.unguarded();
    }
}
