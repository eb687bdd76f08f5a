//! The `tracing` event of a failure, with the field names of OpenTelemetry's semantic conventions.
//!
//! The names are those of version 1.44.0: exceptions in logs, HTTP servers, gRPC. A field without a
//! convention begins with the name of this crate. The place of the failure is one of these, because
//! `tracing-opentelemetry` fills `code.file.path` with the place of the event's macro.

use std::time::Instant;

#[cfg(feature = "axum")]
use axum::extract::MatchedPath;
use http::Method;
use tracing::{Level, event_enabled, field::display};

use super::{
    Outcome,
    error_type::{ErrorClass, exception_type, kind_name},
    level::default_level,
    reporting::ReportContext,
    text::WithSources,
};
use crate::{
    caught::{Phase, RequestHead, failure::Failure},
    clock::HAS_CLOCK,
    escape::{Escaped, escape},
    unwind::catch_or,
};

/// Expands `$body` for the level, which has to be a constant in `tracing`'s macros.
macro_rules! for_level {
    ($level:expr, |$constant:ident| $body:expr) => {
        match $level {
            Level::ERROR => for_level!(@ERROR $constant $body),
            Level::WARN => for_level!(@WARN $constant $body),
            Level::INFO => for_level!(@INFO $constant $body),
            Level::DEBUG => for_level!(@DEBUG $constant $body),
            Level::TRACE => for_level!(@TRACE $constant $body),
        }
    };
    (@$level:ident $constant:ident $body:expr) => {{
        const $constant: Level = Level::$level;
        $body
    }};
}

/// Emits the event. It shows the `Display` of user code, whose panic the caller contains.
pub(super) fn emit_event(failure: &Failure, layer: Option<ReportContext<'_>>, outcome: Outcome) {
    let reporting = layer.map(|layer| layer.reporting);
    let request = layer.map(|layer| layer.request);
    let log_as = reporting.and_then(|reporting| reporting.log_as.as_ref());
    let level = match (log_as, request) {
        (Some(log_as), Some(request)) => log_as.level(failure, request, outcome),
        _ => Some(default_level(failure, outcome)),
    };
    let Some(level) = level else {
        return;
    };
    if !for_level!(level, |LEVEL| event_enabled!(target: TARGET, LEVEL)) {
        return;
    }
    let types = reporting.map(|reporting| &reporting.types);
    let error_class = ErrorClass::of(failure, outcome, types);
    let mut left_out = None;
    let limit = reporting.and_then(|reporting| reporting.limit.as_ref());
    if let Some(limit) = limit.filter(|_| HAS_CLOCK) {
        let kind = (
            kind_name(failure),
            error_class.bounded(failure),
            failure.mechanism,
            failure.phase,
            failure.location(),
        );
        let Some(count) = limit.admit(kind, Instant::now()) else {
            return;
        };
        left_out = Some(count).filter(|count| *count > 0);
    }
    let error_type = Some(display(Escaped(&error_class))).filter(|_| !outcome.is_success());
    let exception_type = exception_type(failure, types);
    let message = Escaped(WithSources(failure));
    let stacktrace = catch_or(None, || failure.backtrace()).map(display);
    let (method, original_method) = request.map(method_of).unzip();
    let original_method = original_method.flatten();
    let path = request.map(|request| escape(request.whole_path()));
    let path = path.as_deref();
    let route = request.and_then(route_of);
    let (status, grpc_code, close_code) = match outcome {
        Outcome::Status(status) => (Some(i64::from(status.as_u16())), None, None),
        Outcome::Grpc(code) => (None, Some(code.name()), None),
        Outcome::Close(code) => (None, None, Some(i64::from(code.as_u16()))),
        Outcome::Aborted => (None, None, None),
    };
    let rpc_system = grpc_code.map(|_| "grpc");
    let kind = kind_name(failure);
    let (mechanism, phase) = (failure.mechanism.as_str(), failure.phase.as_str());
    let location = failure.location().map(display);
    let id = failure.id.as_deref();
    let body = match outcome {
        Outcome::Status(_) | Outcome::Grpc(_) => "responded to a failure",
        Outcome::Close(_) => "closed a WebSocket",
        Outcome::Aborted if failure.phase == Phase::WebSocket => {
            "no close frame could be sent on a WebSocket"
        }
        Outcome::Aborted => "cut a response body short",
    };
    for_level!(level, |LEVEL| tracing::event!(
        name: "exception",
        target: TARGET,
        LEVEL,
        {
            "exception.type" = exception_type,
            "exception.message" = %message,
            "exception.stacktrace" = stacktrace,
            "error.type" = error_type,
            "http.request.method" = method,
            "http.request.method_original" = original_method,
            "url.path" = path,
            "http.route" = route,
            "http.response.status_code" = status,
            "rpc.system.name" = rpc_system,
            "rpc.response.status_code" = grpc_code,
            "tower_exception.kind" = kind,
            "tower_exception.mechanism" = mechanism,
            "tower_exception.phase" = phase,
            "tower_exception.location" = location,
            "tower_exception.close_code" = close_code,
            "tower_exception.id" = id,
            "tower_exception.left_out" = left_out,
        },
        "{body}"
    ));
}

/// Target of the event.
const TARGET: &str = "tower_exception";

/// Returns the method, and the original one if no standard has it.
///
/// A client may send any token, and the values of `http.request.method` have to be few.
fn method_of(request: &RequestHead) -> (&str, Option<&str>) {
    match *request.method() {
        Method::CONNECT
        | Method::DELETE
        | Method::GET
        | Method::HEAD
        | Method::OPTIONS
        | Method::PATCH
        | Method::POST
        | Method::PUT
        | Method::TRACE => (request.method().as_str(), None),
        _ => match request.method().as_str() {
            "QUERY" => ("QUERY", None),
            other => ("_OTHER", Some(other)),
        },
    }
}

/// Returns the route that axum has matched, if the layer captures it.
#[cfg(feature = "axum")]
fn route_of(request: &RequestHead) -> Option<&str> {
    request.get::<MatchedPath>().map(MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn route_of(_: &RequestHead) -> Option<&str> {
    None
}
