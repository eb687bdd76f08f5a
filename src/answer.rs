//! From what was caught to the response that goes out.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    BoxError, Exception, ExceptionBody, HttpException, WebSocketException,
    interrupt::{Interrupt, catch},
    log,
    raise::slot::is_inside_a_scope,
    render::json,
    response::{respond, respond_anew},
    settings::Exchange,
    thrown::Thrown,
};

/// Passes on a response, with a guard around its body. One that carries an exception is rendered anew
/// where that is asked for.
#[inline]
pub(crate) fn pass<B, X: Exchange>(
    response: Response<B>,
    exchange: &X,
) -> Response<ExceptionBody<B>> {
    if X::RENDERS_ATTACHED && response.extensions().get::<HttpException>().is_some() {
        return pass_attached(response, exchange);
    }
    response.map(ExceptionBody::guard)
}

#[cold]
fn pass_attached<B, X: Exchange>(
    mut response: Response<B>,
    exchange: &X,
) -> Response<ExceptionBody<B>> {
    let Some(exception) = response.extensions_mut().remove() else {
        return response.map(ExceptionBody::guard);
    };
    let (parts, body) = response.into_parts();
    let response = Response::from_parts(parts, Bytes::new());
    guarded(response, exchange, |response, attach| {
        drop(body);
        let render = |exception: &_| exchange.render(exception);
        respond_anew(response, exception, render, exchange.is_head(), attach);
    })
}

/// Answers what was caught.
#[cold]
pub(crate) fn answer<B, X: Exchange>(thrown: Thrown, exchange: &X) -> Response<ExceptionBody<B>> {
    log::caught(&thrown);
    guarded(Response::default(), exchange, |response, attach| {
        let exception = match thrown.into_exception() {
            Some(Exception::Http(exception)) => exception,
            Some(Exception::WebSocket(exception)) => refusal(&exception),
            None => internal_server_error(),
        };
        let render = |exception: &_| exchange.render(exception);
        respond(response, exception, render, exchange.is_head(), attach);
    })
}

/// Runs other people's code to make an answer of `response`. Where it cannot be made, it is a plain
/// 500.
fn guarded<B, X: Exchange>(
    mut response: Response<Bytes>,
    exchange: &X,
    answer: impl FnOnce(&mut Response<Bytes>, bool),
) -> Response<ExceptionBody<B>> {
    let attach = is_inside_a_scope();
    if let Err(payload) = catch(|| answer(&mut response, attach)) {
        log::not_answered(&*BoxError::from(Interrupt::from_payload(payload)));
        let exception = internal_server_error();
        response = Response::default();
        respond(
            &mut response,
            exception,
            json::render,
            exchange.is_head(),
            attach,
        );
    }
    response.map(ExceptionBody::rendered)
}

fn internal_server_error() -> HttpException {
    HttpException::new(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What a WebSocket exception is to a request that did not become a WebSocket: the 403 that Starlette
/// refuses a handshake with, and for detail the reason, which is meant for the client.
fn refusal(exception: &WebSocketException) -> HttpException {
    let refusal = HttpException::new(StatusCode::FORBIDDEN);
    match exception.reason() {
        "" => refusal,
        reason => refusal.with_detail(reason.to_owned()),
    }
}
