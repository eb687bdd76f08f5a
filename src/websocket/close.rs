//! Closing of a connection: the exception to close with, and the closing handshake
//! ([RFC 6455, section 7](https://www.rfc-editor.org/rfc/rfc6455#section-7)).

use std::{future::poll_fn, thread, time::Duration};

use http::StatusCode;
use tokio::{
    io::ReadBuf,
    task::consume_budget,
    time::{Instant, timeout_at},
};

use super::{
    frame::close_frame,
    io::TrackedIo,
    library_errors::{code_for, says_closed},
};
use crate::{
    caught::{
        Caught, Mechanism, Panic, Phase,
        failure::{Failure, FailureKind, drop_contained},
    },
    exception::{CloseCode, Exception, HttpException, WebSocketException},
    handler::{HandlerOutput, PendingReply, Reply, ReplyKind, poll_reply},
    handling::RequestContext,
    panic_record::SharedRecord,
    raise::raised::Raised,
    report::Outcome,
    unwind::{contain, ignore_panic},
};

/// Reason to close a connection.
pub(crate) enum CloseReason {
    /// A failure was caught: handlers and observers apply.
    Failed(Failure),
    /// The server closes the connection for a reason of its own.
    Requested(WebSocketException),
    /// The application has dropped the connection.
    Dropped,
    /// A [`CatchWebSocket`](super::CatchWebSocket) was dropped before it had completed, as in an
    /// aborted task, and the connection with it.
    Cancelled,
}

impl CloseReason {
    /// Returns the reason for a connection that the application has dropped, or the cancellation of
    /// its catch.
    pub(crate) fn of_drop(is_cancelled: bool) -> Self {
        match is_cancelled {
            true => Self::Cancelled,
            false => Self::Dropped,
        }
    }

    /// Returns the reason for a connection that an unwinding has dropped, and which `raised` has
    /// begun, or the panic of which there is a `record`, if that is known.
    pub(crate) fn of_unwinding(raised: Option<Raised>, record: Option<SharedRecord>) -> Self {
        Self::Failed(match raised {
            Some(raised) => Failure::from_raised(raised, Mechanism::Raised, Phase::WebSocket),
            None => Failure::panic(Panic::of_record(record), Phase::WebSocket),
        })
    }
}

/// Settings of [`close`].
#[derive(Clone, Copy)]
pub(crate) struct CloseSettings {
    /// Longest time for the handler and the closing handshake together.
    pub(crate) timeout: Duration,
    /// Code for [`CloseReason::Dropped`]. If `None`, the connection is dropped without a close
    /// frame.
    pub(crate) on_drop: Option<CloseCode>,
}

/// Closes a connection, at the latest by `deadline`.
pub(crate) async fn close(
    context: &RequestContext,
    on_drop: Option<CloseCode>,
    mut io: Box<TrackedIo>,
    reason: CloseReason,
    deadline: Instant,
) {
    let can_send_close = io.can_send_close();
    let is_over = io.has_peer_closed() || io.is_defunct();
    let reason = match reason {
        CloseReason::Failed(failure) if is_over && says_closed(&failure) => {
            drop_contained(failure);
            CloseReason::Dropped
        }
        reason => reason,
    };
    let on_drop = match reason {
        CloseReason::Cancelled => on_drop.and(Some(CloseCode::GOING_AWAY)),
        _ => on_drop,
    };
    let exception = match reason {
        CloseReason::Failed(failure) if can_send_close => {
            let default = default_code(&failure, &io);
            Some(handle_failure(context, failure, default, deadline).await)
        }
        CloseReason::Failed(failure) => {
            context.report_failure(failure, Outcome::Aborted);
            None
        }
        CloseReason::Requested(exception) => Some(exception),
        CloseReason::Dropped | CloseReason::Cancelled => match on_drop {
            Some(code) => Some(WebSocketException::new(io.code_for_peer().unwrap_or(code))),
            None => return io.abort(),
        },
    };
    let frame = exception
        .filter(|_| can_send_close)
        .map(|exception| close_frame(&exception));
    // A peer that has not closed the connection by the deadline is cut off.
    let _ = timeout_at(
        deadline,
        closing_handshake(&mut io, frame.as_deref().unwrap_or_default()),
    )
    .await;
    io.abort();
}

/// Sends the close frame and waits for the peer's.
///
/// Other data of the peer is read and discarded: a connection that is closed with data unread is
/// reset, and the reset may overtake the close frame.
async fn closing_handshake(io: &mut TrackedIo, mut frame: &[u8]) -> Option<()> {
    while !frame.is_empty() {
        let written = poll_fn(|cx| io.poll_write(cx, frame)).await.ok()?;
        frame = frame.get(written..).filter(|_| written > 0)?;
    }
    poll_fn(|cx| io.poll_flush(cx)).await.ok()?;
    let mut buffer = Vec::new();
    while io.awaits_close() {
        buffer.resize(READ_BUFFER_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut buffer);
        poll_fn(|cx| io.poll_read(cx, &mut buffer)).await.ok()?;
        // An I/O that is always ready must not keep the task from the deadline, nor others from
        // the thread.
        consume_budget().await;
    }
    poll_fn(|cx| io.poll_shutdown(cx)).await.ok()
}

/// Size of the buffer for data that is discarded. One page: most peers send only a close frame.
const READ_BUFFER_BYTES: usize = 4096;

/// Returns the code to close with after a failure that has neither a handler nor an exception.
///
/// An error after an invalid frame or a close frame of the peer counts as its consequence, whatever
/// library it is from.
fn default_code(failure: &Failure, io: &TrackedIo) -> CloseCode {
    let code = match failure.kind {
        FailureKind::Error(..) => io
            .peer_fault()
            .or_else(|| code_for(failure))
            .or_else(|| io.code_for_peer())
            .or_else(|| io.has_peer_closed().then_some(CloseCode::NORMAL_CLOSURE)),
        FailureKind::Exception(_) | FailureKind::Panic(_) => None,
    };
    code.unwrap_or(CloseCode::INTERNAL_ERROR)
}

/// Returns the exception to close with after `failure`, and reports both.
///
/// That is the reply of a handler or, if none replies, the exception that stands for the failure,
/// or the code `default`. A handler that has not replied by `deadline` has failed.
async fn handle_failure(
    context: &RequestContext,
    mut failure: Failure,
    default: CloseCode,
    deadline: Instant,
) -> WebSocketException {
    context.receive(&mut failure);
    let caught = Caught::of_failure(failure, context.request.clone());
    let reply = ask(context, &caught, deadline).await;
    let replied = reply.and_then(|reply| {
        contain(|| match reply {
            Some(reply) => to_websocket(context, &caught, reply, default),
            None => by_default(caught.failure(), default),
        })
    });
    let exception = replied.unwrap_or_else(|payload| {
        let mut failure = Failure::from_payload(payload, Phase::Handling);
        failure.id.clone_from(&caught.failure().id);
        let exception = internal_error();
        context.report_failure(failure, Outcome::Close(exception.code()));
        exception
    });
    context.report(&caught, Outcome::Close(exception.code()));
    let exception = exception.with_id(caught.id());
    ignore_panic(|| drop(caught));
    exception
}

/// Asks the handlers until one replies. Returns `None` if there is none, or all have declined.
async fn ask(
    context: &RequestContext,
    caught: &Caught,
    deadline: Instant,
) -> thread::Result<Option<Reply>> {
    let mut asked = 0;
    while let Some((handler, handled)) = context.find_handler(caught.failure(), asked) {
        asked += 1;
        let reply = match contain(|| handler(caught, handled))? {
            HandlerOutput::Ready(reply) => reply,
            HandlerOutput::Pending(future) => reply_by(deadline, future).await?,
        };
        if !reply.is_declined() {
            return Ok(Some(reply));
        }
    }
    Ok(None)
}

/// Runs an async handler and returns its reply, or an internal error at `deadline`.
async fn reply_by(deadline: Instant, mut handler: PendingReply) -> thread::Result<Reply> {
    let reply = timeout_at(deadline, poll_fn(|cx| poll_reply(&mut handler, cx))).await;
    ignore_panic(|| drop(handler));
    reply.unwrap_or_else(|_| Ok(Reply::from(internal_error())))
}

/// Converts a reply into the exception to close with.
fn to_websocket(
    context: &RequestContext,
    caught: &Caught,
    reply: Reply,
    default: CloseCode,
) -> WebSocketException {
    match reply.into_kind() {
        ReplyKind::Exception(exception) => from_exception(exception),
        ReplyKind::Failure(mut failed) => {
            failed.id.clone_from(&caught.failure().id);
            let exception = by_default(&failed, CloseCode::INTERNAL_ERROR);
            context.report_failure(*failed, Outcome::Close(exception.code()));
            exception
        }
        ReplyKind::Response(response) => from_status(response.status(), String::new()),
        ReplyKind::Body(_) => WebSocketException::new(by_default(caught.failure(), default).code()),
        ReplyKind::None => by_default(caught.failure(), default),
    }
}

/// Returns the exception to close with after a failure to which no handler has replied.
fn by_default(failure: &Failure, default: CloseCode) -> WebSocketException {
    match failure.default_exception() {
        Some(exception) => from_exception(exception),
        None => WebSocketException::new(default),
    }
}

fn from_exception(exception: Exception) -> WebSocketException {
    match exception {
        Exception::WebSocket(exception) => exception,
        Exception::Http(exception) => from_http(&exception),
    }
}

/// Converts an HTTP exception into one with 4000 plus its status, and its detail.
pub(crate) fn from_http(exception: &HttpException) -> WebSocketException {
    from_status(exception.status(), exception.message().into_owned())
}

/// Converts an HTTP status into a close code: 4000 plus the status, as is customary.
///
/// The codes from 4000 on are for private use
/// ([RFC 6455, section 7.4.2](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2)).
fn from_status(status: StatusCode, reason: String) -> WebSocketException {
    let code = CloseCode::from_u16(4000 + status.as_u16()).unwrap_or(CloseCode::INTERNAL_ERROR);
    WebSocketException::new(code).with_reason(reason)
}

fn internal_error() -> WebSocketException {
    WebSocketException::new(CloseCode::INTERNAL_ERROR)
}
