//! problem_details: a document of another server as an exception, and an exception as a document.

use std::time::Duration;

use http::{StatusCode, Uri};
use problem_details::{ProblemDetails, ProblemType};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{exception::HttpException, render::Problem};

/// Converts a problem document into an exception with the same type, title, status, detail and
/// extension members. `code` becomes the code, and `retry_after` the time to wait.
///
/// Without a status, the exception is a 500. An `instance` is not taken: it is that of another
/// occurrence. A member whose name is [reserved](crate::InvalidMember::is_reserved) is left out,
/// with a warning if the feature `tracing` is on.
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
            _ => Map::new(),
        };
        for (name, value) in members {
            exception = match (&*name, value) {
                ("code", Value::String(code)) => exception.with_code(code),
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

/// Converts an exception into the document that [`Problem`] renders. Its extensions are the members
/// of the exception, and `code`, `errors`, `context` and `retry_after` if it has them.
///
/// `Uri` has no fragment, so that the one of a type is lost. A type that is no `Uri` is left out.
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
        let members = Problem::new().members_of(&exception).to_json();
        let mut members: Map<String, Value> = serde_json::from_slice(&members).unwrap_or_default();
        members.remove("status");
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let problem_type = text("type").and_then(|uri| uri.parse::<Uri>().ok());
        Self {
            r#type: problem_type.map(ProblemType::from),
            status: Some(exception.status()),
            title: text("title"),
            detail: text("detail"),
            instance: None,
            extensions: members,
        }
    }
}
