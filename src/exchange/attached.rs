//! Layers in layers: the failure that a response carries, and the response that was replaced.
//!
//! An inner layer's rendering is provisional, so it leaves the failure in the extensions of the
//! response. A middleware between two layers may replace the response and leave the extensions.
//! Such a response is the middleware's, and final: see [`Attached::is_replaced`].

#[cfg(feature = "tonic")]
use bytes::Bytes;
#[cfg(feature = "tonic")]
use http::HeaderName;
use http::{Extensions, Response};
use http_body::Body;

use super::{
    AnswerBody,
    fingerprint::{Fingerprint, exact_length, exact_length_or},
    pending_report::PendingReport,
    unhandled::{has_unhandled, take_unhandled},
};
#[cfg(feature = "tonic")]
use crate::grpc::{GRPC_MESSAGE, GRPC_STATUS};
use crate::{
    caught::{
        Mechanism, Phase,
        failure::{Failure, FailureKind, drop_contained},
    },
    exception::{Exception, HttpException, WebSocketException},
    grpc::GrpcContentType,
    handling::RequestContext,
    raise::slot::is_inside_a_scope,
    report::{Outcome, emit, leave_note},
};

/// Failure that a response carries.
pub(super) struct Attached {
    pub(super) failure: Failure,
    /// The report that an inner layer has left to this one.
    pub(super) report: Option<PendingReport>,
    pub(super) rendering: Rendering,
}

/// The rendering of the failure into the response that carries it.
pub(super) enum Rendering {
    /// By a layer.
    Layer(Fingerprint),
    /// By user code, which has converted an error of any type. No layer has inspected it.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    Unhandled(Fingerprint),
    /// By user code, which has converted the exception.
    Conversion,
    /// By tonic. The status has been compared.
    #[cfg(feature = "tonic")]
    Tonic { is_replaced: bool },
}

/// Private extension of a response that a layer has rendered for an outer one.
#[derive(Clone)]
struct Provisional {
    failure: Failure,
    fingerprint: Fingerprint,
    report: Option<PendingReport>,
}

/// Private extension of a handler's response: outer layers pass it as it is.
#[derive(Clone)]
struct Final;

/// Returns whether a response carries a failure.
#[inline]
pub(super) fn has_attached<B>(response: &Response<B>) -> bool {
    let extensions = response.extensions();
    !extensions.is_empty()
        && (extensions.get::<HttpException>().is_some()
            || extensions.get::<Provisional>().is_some()
            || extensions.get::<WebSocketException>().is_some()
            || has_unhandled(extensions)
            || has_tonic_status(extensions))
}

/// Takes the failure that a response carries.
pub(super) fn detach<B: Body>(response: &mut Response<B>) -> Option<Attached> {
    let extensions = response.extensions_mut();
    if let Some(provisional) = extensions.remove::<Provisional>() {
        // The inner layer has left an exception here for user code, too.
        extensions.remove::<HttpException>();
        extensions.remove::<WebSocketException>();
        return Some(Attached {
            failure: provisional.failure,
            report: provisional.report,
            rendering: Rendering::Layer(provisional.fingerprint),
        });
    }
    if let Some(failure) = take_unhandled(extensions) {
        return Some(Attached {
            failure,
            report: None,
            rendering: Rendering::Unhandled(Fingerprint::of_unknown_error()),
        });
    }
    let exception = if let Some(exception) = extensions.remove::<HttpException>() {
        Exception::Http(exception)
    } else if let Some(exception) = extensions.remove::<WebSocketException>() {
        Exception::WebSocket(exception)
    } else {
        return tonic_status(response);
    };
    Some(Attached {
        failure: Failure::exception(exception, Mechanism::Attached, Phase::Future),
        report: None,
        rendering: Rendering::Conversion,
    })
}

/// Leaves an exception in the response's extensions for user code, which does not know the private
/// one.
fn insert_exception<B>(response: &mut Response<B>, failure: &Failure) {
    let extensions = response.extensions_mut();
    match &failure.kind {
        FailureKind::Exception(Exception::Http(exception)) => {
            extensions.insert(exception.clone());
        }
        FailureKind::Exception(Exception::WebSocket(exception)) => {
            extensions.insert(exception.clone());
        }
        FailureKind::Error(..) | FailureKind::Panic(_) => {}
    }
}

/// Attaches a failure to a provisional rendering of it.
fn attach<B>(
    response: &mut Response<B>,
    length: Option<u64>,
    failure: Failure,
    report: Option<PendingReport>,
) {
    let fingerprint = Fingerprint::of(response, length);
    insert_exception(response, &failure);
    let extensions = response.extensions_mut();
    extensions.insert(Provisional {
        failure,
        fingerprint,
        report,
    });
}

/// Reports a failure whose default rendering is `response`, or leaves the report and the failure to
/// an outer layer. `inner` is the report that an inner layer has left.
pub(super) fn settle_rendered(
    response: &mut Response<AnswerBody>,
    failure: Failure,
    inner: Option<PendingReport>,
    context: Option<&RequestContext>,
) {
    leave_note(
        response,
        &failure,
        context.map(RequestContext::report_context),
    );
    if is_inside_a_scope() {
        let report = PendingReport::for_outer(inner, &failure, context, response);
        let length = response.body().exact_length();
        return attach(response, length, failure, report);
    }
    report_now(failure, inner, context, || Outcome::of(response));
}

impl Attached {
    /// Returns whether no layer has inspected the failure.
    pub(super) fn is_unhandled(&self) -> bool {
        matches!(self.rendering, Rendering::Unhandled(_))
    }

    /// Returns whether a middleware has replaced the response since the failure was rendered into
    /// it.
    ///
    /// It has if the status, the content type, the content encoding or the exact length of the
    /// body is another one, or for gRPC, if the status or the message is. A body whose length is
    /// unknown counts as replaced, because a rendering has a known length.
    pub(super) fn is_replaced<B: Body>(&self, response: &Response<B>) -> bool {
        let converted;
        let rendered = match &self.rendering {
            Rendering::Layer(rendered) | Rendering::Unhandled(rendered) => rendered,
            Rendering::Conversion => {
                let Some(exception) = self.failure.as_exception() else {
                    return false;
                };
                converted = Fingerprint::of_conversion(exception);
                &converted
            }
            #[cfg(feature = "tonic")]
            Rendering::Tonic { is_replaced } => return *is_replaced,
        };
        let length = exact_length_or(response.body(), rendered.length);
        let now = Fingerprint::of(response, length);
        // A translator of gRPC changes the content type and the body, and leaves the status.
        match GrpcContentType::of(response.headers()) {
            Some(_) => now.has_other_status(rendered),
            None => now != *rendered,
        }
    }

    /// Reports a failure whose response is passed on, or leaves the report and the failure to an
    /// outer layer. A response that was replaced is final.
    pub(super) fn settle<B: Body>(
        self,
        response: &mut Response<B>,
        context: Option<&RequestContext>,
    ) {
        let layer = context.map(RequestContext::report_context);
        leave_note(response, &self.failure, layer);
        let has_outer = is_inside_a_scope();
        if has_outer && !self.is_replaced(response) {
            let report = PendingReport::for_outer(self.report, &self.failure, context, response);
            let length = exact_length(response.body());
            return attach(response, length, self.failure, report);
        }
        match has_outer {
            true => mark_final(response),
            false => insert_exception(response, &self.failure),
        }
        report_now(self.failure, self.report, context, || Outcome::of(response));
    }
}

/// Reports a failure for this layer and those inside of it.
fn report_now(
    failure: Failure,
    inner: Option<PendingReport>,
    context: Option<&RequestContext>,
    outcome: impl Fn() -> Outcome,
) {
    match (inner, context) {
        (Some(inner), context) => {
            inner.add(context, &failure);
            inner.report(outcome());
            drop_contained(failure);
        }
        (None, Some(context)) => context.report_failure(failure, outcome()),
        (None, None) => {
            emit(&failure, None, outcome);
            drop_contained(failure);
        }
    }
}

/// Marks a handler's response, which outer layers neither adopt nor change.
pub(super) fn mark_final<B>(response: &mut Response<B>) {
    response.extensions_mut().insert(Final);
}

/// Returns whether an inner layer's handler has replied this response.
pub(super) fn is_final<B>(response: &Response<B>) -> bool {
    response.extensions().get::<Final>().is_some()
}

/// tonic leaves a handler's status in the extensions of the response.
#[cfg(feature = "tonic")]
fn has_tonic_status(extensions: &Extensions) -> bool {
    extensions.get::<tonic::Status>().is_some()
}

/// Returns tonic's status. It stays in the extensions, for layers further out.
#[cfg(feature = "tonic")]
fn tonic_status<B: Body>(response: &Response<B>) -> Option<Attached> {
    let status = response.extensions().get::<tonic::Status>()?;
    let rendered = status.clone().into_http::<Bytes>();
    let has_same = |name: &HeaderName| response.headers().get(name) == rendered.headers().get(name);
    let is_replaced = !has_same(&GRPC_STATUS) || !has_same(&GRPC_MESSAGE);
    Some(Attached {
        failure: Failure::from_status(status.clone(), Mechanism::Attached, Phase::Future),
        report: None,
        rendering: Rendering::Tonic { is_replaced },
    })
}

#[cfg(not(feature = "tonic"))]
fn has_tonic_status(_: &Extensions) -> bool {
    false
}

#[cfg(not(feature = "tonic"))]
fn tonic_status<B: Body>(_: &Response<B>) -> Option<Attached> {
    None
}
