//! How a connection is closed.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    thread,
};

use http::StatusCode;
use tokio::{
    io::ReadBuf,
    time::{Instant, timeout_at},
};

use super::{cause::Cause, frames::close_frame, wire::Wire};
use crate::{
    Answer, Caught, CloseCode, Exception, HttpException, Place, WebSocketException,
    handlers::{Handled, Reply, ReplyKind},
    interrupt::{catch, catch_poll, quietly},
    settings::Kept,
    thrown::Thrown,
};

/// Closes a connection, for whatever cause, and is done by `deadline`.
pub async fn close(
    kept: &Kept,
    close_on_drop: Option<CloseCode>,
    mut wire: Box<Wire>,
    cause: Cause,
    deadline: Instant,
) {
    let takes_close = wire.takes_close();
    let exception = match cause {
        Cause::Thrown(thrown) if takes_close => Some(answer(kept, thrown, deadline).await),
        Cause::Thrown(thrown) => {
            kept.tell_of(thrown, Answer::CutShort);
            None
        }
        Cause::Ordered(exception) => Some(exception),
        Cause::Dropped => match close_on_drop {
            Some(code) => Some(WebSocketException::new(wire.code_of_peer().unwrap_or(code))),
            None => return wire.cut(),
        },
    };
    let frame = exception
        .filter(|_| takes_close)
        .map(|exception| close_frame(&exception));
    // By the deadline the peer has had its time: what is left of it is cut off.
    let _ = timeout_at(
        deadline,
        closing_handshake(&mut wire, frame.as_deref().unwrap_or_default()),
    )
    .await;
    wire.cut();
}

/// Sends the close frame and waits for the peer's. What the peer sends meanwhile is read and let go: a
/// connection that is closed with data unread is reset, and a reset may overtake the close frame.
async fn closing_handshake(wire: &mut Wire, mut frame: &[u8]) -> Option<()> {
    while !frame.is_empty() {
        let written = poll_fn(|cx| wire.poll_write(cx, frame)).await.ok()?;
        frame = frame.get(written..).filter(|_| written > 0)?;
    }
    poll_fn(|cx| wire.poll_flush(cx)).await.ok()?;
    let mut buffer = Vec::new();
    while wire.awaits_close() {
        buffer.resize(READ_AT_ONCE, 0);
        let mut buffer = ReadBuf::new(&mut buffer);
        poll_fn(|cx| wire.poll_read(cx, &mut buffer)).await.ok()?;
    }
    poll_fn(|cx| wire.poll_shutdown(cx)).await.ok()
}

const READ_AT_ONCE: usize = 4096;

/// What `thrown` is closed with: what its handler replies, or else what it stands for. A handler that has not
/// replied by `deadline` has failed.
async fn answer(kept: &Kept, thrown: Thrown, deadline: Instant) -> WebSocketException {
    let handler = kept.handler(&thrown);
    let caught = Caught::new(thrown, kept.request().clone());
    let reply = match handler {
        None => Ok(None),
        Some((handler, depth)) => match catch(|| handler(&caught, depth)) {
            Ok(Handled::Now(reply)) => Ok(Some(reply)),
            Ok(Handled::Later(reply)) => reply_by(deadline, reply).await.map(Some),
            Err(payload) => Err(payload),
        },
    };
    let exception = made(&caught, reply).unwrap_or_else(|payload| {
        let thrown = Thrown::from_payload(payload, Place::Answer);
        let exception = internal_error();
        kept.tell_of(thrown, Answer::Close(exception.code()));
        exception
    });
    kept.tell(&caught, Answer::Close(exception.code()));
    quietly(|| drop(caught));
    exception
}

/// What an async handler replies. It is stopped at `deadline`.
async fn reply_by(
    deadline: Instant,
    mut reply: Pin<Box<dyn Future<Output = Reply> + Send>>,
) -> thread::Result<Reply> {
    let replied = poll_fn(|cx| match catch_poll(cx, |cx| reply.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    });
    let replied = timeout_at(deadline, replied).await;
    quietly(|| drop(reply));
    replied.unwrap_or_else(|_| Ok(Reply::exception(internal_error())))
}

/// What to close with: what a handler has replied, or what `caught` stands for where there is none.
fn made(
    caught: &Caught,
    reply: thread::Result<Option<Reply>>,
) -> thread::Result<WebSocketException> {
    let reply = reply?;
    catch(|| match reply.map(|reply| reply.0) {
        None => of_exception(caught.thrown().clone().into_exception()),
        Some(ReplyKind::Exception(exception)) => of_exception(Some(exception)),
        Some(ReplyKind::Response(response)) => of_status(response.status(), String::new()),
    })
}

fn of_exception(exception: Option<Exception>) -> WebSocketException {
    match exception {
        Some(Exception::WebSocket(exception)) => exception,
        Some(Exception::Http(exception)) => of_http(&exception),
        None => internal_error(),
    }
}

fn of_http(exception: &HttpException) -> WebSocketException {
    of_status(exception.status(), exception.shown_detail().to_string())
}

/// An HTTP status as a close code: 4000 and the status, as is the custom. The codes from 4000 on are for private
/// use ([RFC 6455, section 7.4.2](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2)).
fn of_status(status: StatusCode, reason: String) -> WebSocketException {
    let code = CloseCode::new(4000 + status.as_u16()).unwrap_or(CloseCode::INTERNAL_ERROR);
    WebSocketException::new(code).with_reason(reason)
}

fn internal_error() -> WebSocketException {
    WebSocketException::new(CloseCode::INTERNAL_ERROR)
}
