//! The results that clients expect, each in one line of text.

use std::fmt::Write;

use crate::{
    app::first_frame,
    case::{Case, Kind},
    sockets::close_code,
    support::{PLAIN_500, Protocol, Received},
};

/// Returns a response in one line, with its trailers and its end.
pub fn shown(received: &Received) -> String {
    let mut line = received.to_string();
    if let Some(trailers) = &received.trailers {
        let mut trailers: Vec<_> = trailers.iter().collect();
        trailers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in trailers {
            write!(line, " | {name}: {}", value.as_bytes().escape_ascii()).unwrap();
        }
    }
    if received.aborted {
        line.push_str(ABORTED);
    }
    line
}

const ABORTED: &str = " | aborted";

/// Returns whether a client received `line` rightly.
pub fn is_right(case: Case, protocol: Protocol, line: &str) -> bool {
    let expected = expected(case, protocol);
    // A stream that is reset loses the frames, and even the head, that were not sent before.
    let may_be_reset = case.kind.is_cut_short() && protocol == Protocol::Http2;
    let without_frame = format!("{}{ABORTED}", head_of_broken(case, protocol));
    line == expected || may_be_reset && (line == without_frame || line.contains("Reset("))
}

/// Returns the line that a client is to receive.
pub fn expected(case: Case, protocol: Protocol) -> String {
    let mark = case.mark();
    let is_configured = case.stack.configured() > 0;
    let closed = |code, reason: &str| format!("closed {code} {reason}");
    let echoed = |closed| format!("echoed hello of {mark}, {closed}");
    let close = || closed(close_code(case), &format!("reason of {mark}"));
    match case.kind {
        Kind::Fine => {
            let body = format!("fine {mark}");
            format!(
                "200 | content-length: {} | x-id: {mark} | {body}",
                body.len()
            )
        }
        Kind::Panicked | Kind::BeforePanicked => PLAIN_500.to_owned(),
        Kind::Handled | Kind::HandledLate if !is_configured => PLAIN_500.to_owned(),
        Kind::Handled | Kind::HandledLate => {
            json(418, &mark, &format!("handled {mark} at {}", case.path()))
        }
        Kind::Adopted if is_configured => json(404, &mark, &format!("text of {mark}")),
        Kind::Adopted => {
            let text = format!("text of {mark}");
            let content_type = "text/plain; charset=utf-8";
            response(404, content_type, &mark, &text)
        }
        Kind::BodyError | Kind::BodyRaised | Kind::BodyRaisedAsync | Kind::BodyPanicked => {
            let head = head_of_broken(case, protocol);
            format!("{head} | {}{ABORTED}", first_frame(case))
        }
        Kind::Grpc | Kind::GrpcRaised => {
            // hyper declares the length of an empty body over HTTP/1.1.
            let length = match protocol {
                Protocol::Http1 => "content-length: 0 | ",
                Protocol::Http2 => "",
            };
            format!(
                "200 | {length}content-type: application/grpc | {}",
                grpc(&mark)
            )
        }
        Kind::GrpcStream | Kind::GrpcStreamRaised => format!(
            "200 | content-type: application/grpc | x-id: {mark} | {} | {}",
            first_frame(case),
            grpc(&mark)
        ),
        Kind::BeforeReturned
        | Kind::BeforeAttached
        | Kind::BeforeRaised
        | Kind::BeforeRaisedAsync => close(),
        Kind::Polite => echoed(closed(1000, &format!("bye of {mark}"))),
        Kind::CaughtReturned
        | Kind::CaughtRaised
        | Kind::CaughtRaisedAsync
        | Kind::BareRaised
        | Kind::BareRaisedAsync => echoed(close()),
        Kind::CaughtHttp => echoed(closed(4409, &format!("detail of {mark}"))),
        Kind::CaughtError | Kind::CaughtPanicked | Kind::BarePanicked => echoed(closed(1011, "")),
        Kind::BareDropped => echoed(closed(1000, "")),
        _ => json(409, &mark, &format!("detail of {mark}")),
    }
}

fn json(status: u16, mark: &str, detail: &str) -> String {
    let body = format!("{{\"detail\":\"{detail}\"}}");
    response(status, "application/json", mark, &body)
}

fn response(status: u16, content_type: &str, mark: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{status} | content-length: {length} | content-type: {content_type} | x-id: {mark} | {body}"
    )
}

/// Returns the status of an exception over gRPC.
fn grpc(mark: &str) -> String {
    format!("grpc-message: detail of {mark} | grpc-status: 10 | x-id: {mark}")
}

/// Returns the head of a response whose body ends with an error.
fn head_of_broken(case: Case, protocol: Protocol) -> String {
    let framing = match protocol {
        Protocol::Http1 => "transfer-encoding: chunked | ",
        Protocol::Http2 => "",
    };
    format!("200 | {framing}x-id: {}", case.mark())
}
