//! All that the page shows of one failure, as texts.

use std::{error::Error, fmt::Write, time::SystemTime};

use http::{HeaderName, StatusCode};

use super::{
    request_view::RequestView,
    source::CodeLocation,
    spans::{is_span_trace, spans},
    type_names::type_name_of,
};
use crate::{
    backtrace::{Frame, FrameOrigin, frames},
    caught::{Caught, Mechanism, Panic, Phase, failure::FailureKind},
    error::{BoxedError, LocatedError, SharedError, is_report},
    exception::{Exception, HttpException, WebSocketException},
    render::Rendered,
    report::Outcome,
    unwind::ignore_panic,
};

/// Longest text that is stored, in bytes.
const MAX_TEXT_BYTES: usize = 32 * 1024;

/// Longest chain of sources that is shown. Those of real errors are shorter.
const MAX_CHAIN: usize = 32;

/// One failure, with nothing of the application's left in it.
pub(super) struct Snapshot {
    pub(super) at: SystemTime,
    /// Such as `Panic`.
    pub(super) kind: &'static str,
    /// Such as `raised without unwinding`.
    pub(super) mechanism: &'static str,
    /// Such as `in the response body`.
    pub(super) phase: &'static str,
    pub(super) is_panic: bool,
    pub(super) is_adopted: bool,
    pub(super) outcome: Outcome,
    /// The outermost error first.
    pub(super) chain: Vec<Link>,
    pub(super) location: Option<CodeLocation>,
    pub(super) thread: Option<String>,
    pub(super) id: Option<String>,
    /// The spans in which it has arisen, in lines.
    pub(super) spans: Option<String>,
    pub(super) frames: Vec<ShownFrame>,
    pub(super) request: RequestView,
    /// The response without the page.
    pub(super) response: Option<ResponseView>,
}

/// One error of a chain of sources.
pub(super) struct Link {
    pub(super) type_name: Option<String>,
    pub(super) text: String,
    pub(super) location: Option<CodeLocation>,
}

/// One call of a backtrace.
pub(super) struct ShownFrame {
    pub(super) frame: Frame,
    pub(super) location: Option<CodeLocation>,
}

/// The response that a client would receive without the page.
pub(super) struct ResponseView {
    pub(super) content_type: String,
    pub(super) body: String,
}

impl Snapshot {
    /// Takes a snapshot. `blanked` has the headers whose values are secrets.
    pub(super) fn of(caught: &Caught, outcome: Outcome, blanked: &[HeaderName]) -> Self {
        let failure = caught.failure();
        let (kind, thread) = match &failure.kind {
            FailureKind::Exception(Exception::Http(_)) => ("HTTP exception", None),
            FailureKind::Exception(Exception::WebSocket(_)) => ("WebSocket exception", None),
            FailureKind::Error(..) => ("Error", None),
            FailureKind::Panic(panic) => ("Panic", panic.thread().map(str::to_owned)),
        };
        let backtrace = caught.backtrace().map(frames).unwrap_or_default();
        let location = caught.location().map(CodeLocation::of);
        Self {
            at: SystemTime::now(),
            kind,
            mechanism: mechanism(caught.mechanism()),
            phase: phase(caught.phase()),
            is_panic: matches!(failure.kind, FailureKind::Panic(_)),
            is_adopted: caught.mechanism() == Mechanism::Adopted,
            outcome,
            chain: chain(caught, location.as_ref()),
            location,
            thread,
            id: caught.id().map(str::to_owned),
            spans: spans(caught).map(shortened),
            frames: backtrace.into_iter().map(ShownFrame::of).collect(),
            request: RequestView::of(caught.request(), blanked),
            response: None,
        }
    }

    /// Adds the response without the page.
    pub(super) fn with_response(mut self, rendered: &Rendered) -> Self {
        let content_type = rendered.content_type().as_bytes();
        self.response = Some(ResponseView {
            content_type: String::from_utf8_lossy(content_type).into_owned(),
            body: shortened(String::from_utf8_lossy(rendered.body()).into_owned()),
        });
        self
    }

    /// Returns the text of the failure: that of its outermost error, without a status that the
    /// outcome repeats.
    pub(super) fn text(&self) -> &str {
        let text = self.chain.first().map_or("", |link| &link.text);
        match self.outcome {
            Outcome::Status(status) => {
                let rest = text.strip_prefix(status.as_str());
                rest.and_then(|rest| rest.strip_prefix(": "))
                    .unwrap_or(text)
            }
            _ => text,
        }
    }

    /// Returns the innermost error, if it is not the outermost one.
    pub(super) fn cause(&self) -> Option<&Link> {
        self.chain.get(1..)?.last()
    }

    /// Describes the failure in a line: `Error raised in the future of the service`.
    pub(super) fn description(&self) -> String {
        let Self {
            kind,
            mechanism,
            phase,
            ..
        } = self;
        match self.is_panic {
            true => format!("{kind} {phase}"),
            false => format!("{kind} {mechanism} {phase}"),
        }
    }

    pub(super) fn type_name(&self) -> Option<&str> {
        self.chain.first()?.type_name.as_deref()
    }

    /// Returns the outcome in words: `404 Not Found`, `gRPC NOT_FOUND`, `closed with 1011`.
    pub(super) fn outcome(&self) -> String {
        match self.outcome {
            Outcome::Status(status) => status_line(status),
            Outcome::Grpc(code) => format!("gRPC {code}"),
            Outcome::Close(code) => format!("closed with {}", code.as_u16()),
            Outcome::Aborted => "cut short".to_owned(),
        }
    }
}

/// Returns a status with its reason, if it has one.
pub(super) fn status_line(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

impl ShownFrame {
    fn of(frame: Frame) -> Self {
        let file = frame.file().and_then(|file| file.to_str());
        let location = file
            .zip(frame.line())
            .map(|(file, line)| CodeLocation::new(file, line, frame.column().unwrap_or(0)));
        Self { frame, location }
    }

    /// Returns whether the frame is one of the application's, below the layer.
    pub(super) fn is_open(&self) -> bool {
        self.frame.origin() == FrameOrigin::Application && !self.frame.is_outside_layer()
    }
}

/// Returns the errors of the chain of sources, except those that this crate has put between.
fn chain(caught: &Caught, location: Option<&CodeLocation>) -> Vec<Link> {
    let failure = caught.failure();
    let mut links: Vec<Link> = Vec::new();
    let mut of_next: Option<CodeLocation> = None;
    let mut is_in_report = false;
    ignore_panic(|| {
        for error in failure.whole_chain() {
            if links.len() == MAX_CHAIN {
                break;
            }
            if let Some(BoxedError(error)) = error.downcast_ref() {
                of_next = Some(CodeLocation::of(error.location().into()));
                continue;
            }
            if error.is::<LocatedError>() || error.is::<SharedError>() || is_span_trace(error) {
                continue;
            }
            // An error that hides an exception leads to a note of the exception.
            let noted = match Exception::is_value(error) {
                true => None,
                false => Exception::of(error),
            };
            let error = noted
                .as_ref()
                .map_or(error, |exception| exception.as_error());
            let (text, type_name) = (text_of(error), type_name_of(error));
            let repeats = links.last().is_some_and(|last| last.text == text);
            if repeats && (noted.is_some() || is_in_report || type_name.is_none()) {
                continue;
            }
            is_in_report = is_report(error);
            let location = exception_location(error).or(of_next.take());
            links.push(Link {
                type_name,
                text,
                location,
            });
        }
    });
    if let Some(first) = links.first_mut() {
        first.location = first.location.take().or(location.cloned());
        if let Some(name) = failure.type_name() {
            first.type_name = Some(name.to_owned());
        }
    }
    links
}

fn exception_location(error: &(dyn Error + 'static)) -> Option<CodeLocation> {
    let http = error.downcast_ref().map(HttpException::location);
    let location = http.or_else(|| error.downcast_ref().map(WebSocketException::location))?;
    Some(CodeLocation::of(location.into()))
}

/// Returns the text of an error. `Display` is user code.
fn text_of(error: &(dyn Error + 'static)) -> String {
    if let Some(panic) = error.downcast_ref::<Panic>() {
        let message = panic.message().unwrap_or("A panic without a text");
        return shortened(message.to_owned());
    }
    let mut text = String::new();
    ignore_panic(|| _ = write!(text, "{error}"));
    shortened(text)
}

/// Cuts a text that is too long, and says so.
fn shortened(mut text: String) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text;
    }
    let mut end = MAX_TEXT_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let left_out = text.len() - end;
    text.truncate(end);
    text.shrink_to_fit();
    let _ = write!(text, "\n… and {left_out} more bytes");
    text
}

fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Returned => "returned",
        Mechanism::Attached => "returned as a response",
        Mechanism::Raised => "raised",
        Mechanism::RaisedAsync => "raised without unwinding",
        Mechanism::Panicked => "panicked",
        Mechanism::Adopted => "adopted from a plain error response",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::PollReady => "in poll_ready",
        Phase::Call => "in call",
        Phase::Future => "in the future of the service",
        Phase::Body => "in the response body",
        Phase::WebSocket => "in the task of a WebSocket",
        Phase::Handling => "while another failure was handled",
    }
}
