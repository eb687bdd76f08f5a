//! problem_details: a document of another server as an exception, and an exception as a document.

use std::time::Duration;

use http::{StatusCode, Uri};
use problem_details::{ProblemDetails, ProblemType};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{diagnostics, exception::HttpException, render::Problem};

/// Converts a problem document into an exception with the same type, title, status, detail and
/// extension members. `code` becomes the code, and `retry_after` the time to wait.
///
/// Without a status, the exception is a 500. An `instance` is not taken: it is that of another
/// occurrence. A member whose name is [reserved](crate::InvalidMember::is_reserved) is left out,
/// with a warning if the feature `tracing` is on. So are extensions that are no JSON object.
///
/// ```
/// use http::{StatusCode, Uri};
/// use problem_details::ProblemDetails;
/// use tower_exception::HttpException;
///
/// let details = ProblemDetails::from_status_code(StatusCode::CONFLICT)
///     .with_type(Uri::from_static("https://shop.example/problems/sold-out"))
///     .with_detail("plumbus 7 is sold out");
/// let exception = HttpException::from(details);
/// assert_eq!(exception.to_string(), "409: plumbus 7 is sold out");
/// assert_eq!(exception.problem_type(), Some("https://shop.example/problems/sold-out"));
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "problem_details")))]
impl<Ext: Serialize> From<ProblemDetails<Ext>> for HttpException {
    #[track_caller]
    fn from(details: ProblemDetails<Ext>) -> Self {
        let status = details.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut exception = Self::new(status);
        if let Some(problem_type) = details.r#type {
            exception = exception.with_type(problem_type.to_string());
        }
        if let Some(title) = details.title {
            exception = exception.with_title(title);
        }
        if let Some(detail) = details.detail {
            exception = exception.with_detail(detail);
        }
        let members = match serde_json::to_value(&details.extensions) {
            Ok(Value::Object(members)) => members,
            Ok(Value::Null) => Map::new(),
            Ok(_) => {
                diagnostics::member_refused(&"the extensions are no JSON object");
                Map::new()
            }
            Err(error) => {
                diagnostics::member_refused(&error);
                Map::new()
            }
        };
        for (name, value) in members {
            exception = match (&*name, value) {
                ("code", Value::String(code)) => exception.with_code(code),
                ("type", Value::String(reference)) => exception.with_type(reference),
                ("retry_after", Value::Number(seconds)) if seconds.is_u64() => {
                    let seconds = seconds.as_u64().unwrap_or_default();
                    exception.with_retry_after(Duration::from_secs(seconds))
                }
                (_, value) => {
                    exception.set_member(name, &value);
                    exception
                }
            };
        }
        exception
    }
}

/// Converts a problem document in a box, which is a smaller `Err` of a `Result`.
#[cfg_attr(docsrs, doc(cfg(feature = "problem_details")))]
impl<Ext: Serialize> From<Box<ProblemDetails<Ext>>> for HttpException {
    #[track_caller]
    fn from(details: Box<ProblemDetails<Ext>>) -> Self {
        Self::from(*details)
    }
}

/// Converts an exception into the document that [`Problem`] renders. Its extensions are the members
/// of the exception, and `code`, `errors`, `context` and `retry_after` if it has them.
///
/// A [`Uri`] has no fragment and is no relative path. A type that it cannot hold is the extension
/// `type`, so that the JSON of the document is the same. A member that a [`Value`] cannot hold is
/// left out, such as a text with half a surrogate pair.
///
/// ```
/// use problem_details::ProblemDetails;
/// use tower_exception::HttpException;
///
/// let details = ProblemDetails::from(HttpException::gone("sold out").with_code("sold-out"));
/// assert_eq!(details.title.as_deref(), Some("Gone"));
/// assert_eq!(details.extensions["code"], "sold-out");
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "problem_details")))]
impl From<HttpException> for ProblemDetails<Map<String, Value>> {
    fn from(exception: HttpException) -> Self {
        let members = Problem::new().members_of(&exception);
        let parsed = members.iter().filter_map(|(name, value)| {
            let value = serde_json::from_str(value.get()).ok()?;
            Some((name.to_owned(), value))
        });
        let mut members: Map<String, Value> = parsed.collect();
        members.remove("status");
        let problem_type = members.get("type").and_then(exact_uri);
        if problem_type.is_some() {
            members.remove("type");
        }
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Self {
            r#type: problem_type,
            status: Some(exception.status()),
            title: text("title"),
            detail: text("detail"),
            instance: None,
            extensions: members,
        }
    }
}

/// Returns the type of a URI reference, if an [`Uri`] holds it as it is.
fn exact_uri(reference: &Value) -> Option<ProblemType> {
    let reference = reference.as_str()?;
    let problem_type = ProblemType::from(reference.parse::<Uri>().ok()?);
    // A comparison with the `Uri` would ignore a fragment.
    (problem_type.to_string() == reference).then_some(problem_type)
}
