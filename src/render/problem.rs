//! The form of an exception for programs: a problem document of RFC 9457.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderValue, StatusCode};

use super::{Members, Negotiable, Render, Rendered, problem_errors::ProblemError};
use crate::{
    caught::Caught,
    diagnostics,
    exception::{Detail, HttpException, InvalidMember, whole_seconds},
};

const MEDIA_TYPE: &str = "application/problem+json";

/// Renderer of problem documents (RFC 9457) as `application/problem+json`.
///
/// ```json
/// {"title":"Not Found","status":404,"detail":"no such item"}
/// ```
///
/// | member | value |
/// | --- | --- |
/// | `type` | that of the exception ([`with_type`](HttpException::with_type)), or with [`types_under`](Self::types_under) a URI. Otherwise it is left out, which means `about:blank` (section 3.1.1) |
/// | `title` | that of the exception ([`with_title`](HttpException::with_title)), or the canonical reason of the status, if it has one |
/// | `status` | the status |
/// | `detail` | the detail, if the exception has one and it is text |
/// | `errors` | the [faults](HttpException::invalid) of the request: `[{"detail": ..., "pointer": "#/items/3/price", "code": ...}]`, with `parameter` or `header` in place of `pointer` if it is none of the body. Without faults, the detail if it is an array, because `detail` has to be text (section 3.1.4) |
/// | `context` | the detail if it is any other JSON |
/// | `instance` | with [`instance`](Self::instance), a URI of this occurrence |
/// | `code` | that of the exception ([`with_code`](HttpException::with_code)) |
/// | `retry_after` | the time of [`with_retry_after`](HttpException::with_retry_after), in whole seconds |
/// | `error_id` | the id of the failure, if the layer [identifies](crate::ExceptionLayer::identify) failures |
/// | others | those of the exception ([`try_with_member`](HttpException::try_with_member)), then those of [`enrich`](Self::enrich) |
///
/// An error of an unknown type and a panic are `{"title":"Internal Server Error","status":500}`.
///
/// ```
/// use tower_exception::{Caught, ExceptionLayer, render::{Members, Problem, request_path}};
///
/// let problem = Problem::new()
///     .types_under("https://errors.example.com/")
///     .instance(request_path)
///     .enrich(|members: &mut Members, _: &Caught| members.insert("service", "shop"));
/// let layer = ExceptionLayer::new().with_renderer(problem);
/// ```
#[derive(Clone, Default)]
#[must_use = "a renderer does nothing unless a layer has it"]
pub struct Problem {
    types_under: Option<Cow<'static, str>>,
    instance: Option<Arc<Instance>>,
    enrichments: Vec<Arc<Enrichment>>,
}

type Instance = dyn Fn(&Caught) -> Option<String> + Send + Sync;
type Enrichment = dyn Fn(&mut Members, &Caught) -> Result<(), InvalidMember> + Send + Sync;

impl Problem {
    /// Creates the renderer of documents without a `type` and an `instance`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the beginning of every `type`: it is followed by the exception's code, or by the reason
    /// of the status in kebab-case, such as `not-found`. The type of an exception replaces both.
    ///
    /// `base` is a URI reference that ends in `/` or `#`. A status without a canonical reason has
    /// no `type`.
    pub fn types_under(mut self, base: impl Into<Cow<'static, str>>) -> Self {
        self.types_under = Some(base.into());
        self
    }

    /// Sets the function that returns the `instance` of a document, a URI reference of this
    /// occurrence. [`request_path`] is one.
    pub fn instance(
        mut self,
        instance: impl Fn(&Caught) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.instance = Some(Arc::new(instance));
        self
    }

    /// Adds members to every document.
    ///
    /// A member that is [refused](Members::insert) is left out, with a warning if the feature
    /// `tracing` is on. Several functions are called in order.
    pub fn enrich(
        mut self,
        enrich: impl Fn(&mut Members, &Caught) -> Result<(), InvalidMember> + Send + Sync + 'static,
    ) -> Self {
        self.enrichments.push(Arc::new(enrich));
        self
    }

    /// Collects the members that the exception itself has.
    pub(crate) fn members_of(&self, exception: &HttpException) -> Members {
        let mut members = Members::default();
        let status = exception.status();
        let code = exception.code();
        let named = || code.map(str::to_owned).or_else(|| slug(status));
        if let Some(problem_type) = exception.problem_type() {
            members.set_plain("type", problem_type);
        } else if let (Some(base), Some(name)) = (&self.types_under, named()) {
            members.set_plain("type", &format!("{base}{name}"));
        }
        if let Some(title) = exception.title().or(status.canonical_reason()) {
            members.set_plain("title", title);
        }
        members.set_plain("status", &status.as_u16());
        let faults = exception.faults();
        match exception.own_detail() {
            Detail::Canonical => {}
            Detail::Text(detail) if detail.is_empty() => {}
            Detail::Text(detail) => members.set_plain("detail", &**detail),
            Detail::Json(detail) => members.set(
                match detail.get().as_bytes().first() {
                    Some(b'[') if faults.is_empty() => "errors",
                    // A text that Rust cannot hold.
                    Some(b'"') => "detail",
                    _ => "context",
                },
                detail.clone(),
            ),
        }
        if !faults.is_empty() {
            let errors: Vec<_> = faults.iter().map(ProblemError).collect();
            members.set_plain("errors", &errors);
        }
        if let Some(code) = code {
            members.set_plain("code", code);
        }
        if let Some(wait) = exception.retry_after() {
            members.set_plain("retry_after", &whole_seconds(wait));
        }
        for (name, value) in exception.members() {
            members.set(name.to_owned(), value.to_owned());
        }
        members
    }
}

impl Render for Problem {
    fn render(&self, exception: &HttpException, caught: &Caught) -> Rendered {
        let mut members = self.members_of(exception);
        if let Some(instance) = self.instance.as_ref().and_then(|instance| instance(caught)) {
            members.set_plain("instance", &instance);
        }
        if let Some(id) = caught.id() {
            members.set_plain("error_id", id);
        }
        for enrich in &self.enrichments {
            if let Err(error) = enrich(&mut members, caught) {
                diagnostics::member_refused(&error);
            }
        }
        Rendered::new(HeaderValue::from_static(MEDIA_TYPE), members.to_json())
    }
}

impl Negotiable for Problem {
    fn media_type(&self) -> &str {
        MEDIA_TYPE
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("types_under", &self.types_under)
            .finish_non_exhaustive()
    }
}

/// Returns the path of the request, for [`Problem::instance`].
///
/// The query is not part of it: it may hold secrets, and a client that stores the document stores
/// them too.
pub fn request_path(caught: &Caught) -> Option<String> {
    let path = caught.request().whole_path();
    // Two slashes would begin the name of a host (RFC 3986, sections 4.2 and 3.3).
    let prefix = if path.starts_with("//") { "/." } else { "" };
    Some(format!("{prefix}{path}"))
}

/// Returns the canonical reason of a status in kebab-case: `im-a-teapot`.
fn slug(status: StatusCode) -> Option<String> {
    let reason = status.canonical_reason()?;
    let chars = reason.chars().filter(|char| *char != '\'');
    Some(chars.map(kebab).collect())
}

fn kebab(char: char) -> char {
    match char.is_ascii_alphanumeric() {
        true => char.to_ascii_lowercase(),
        false => '-',
    }
}
