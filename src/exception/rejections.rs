//! The faults in the rejections of axum's extractors.

use std::error::Error;

use axum::extract::{
    path::ErrorKind,
    rejection::{
        BytesRejection, ExtensionRejection, FormRejection, JsonRejection, PathRejection,
        QueryRejection, RawFormRejection, StringRejection,
    },
};
use serde_json::Value;

use super::{
    deserialization::wrong_type,
    fault::Fault,
    fault_position::{FaultPosition, RequestPart, Step},
    http::HttpException,
};
use crate::error::sources;

/// Error of JSON that has the path to the fault.
type JsonError = serde_path_to_error::Error<serde_json::Error>;

/// Error of a query or a form, with its path: `serde_urlencoded` has serde's own error.
type UrlEncodedError = serde_path_to_error::Error<serde::de::value::Error>;

/// Rejection of an extractor that reads a part of a request.
pub(crate) trait Rejection {
    /// Returns the exception that stands for the rejection.
    fn exception(&self) -> HttpException;
}

/// Defines one conversion per row: a rejection, and the function that returns its faults.
macro_rules! conversions {
    ($($Rejection:ident: $faults:expr;)*) => {
        $(
            impl Rejection for $Rejection {
                fn exception(&self) -> HttpException {
                    let status = self.status();
                    if !status.is_client_error() {
                        return HttpException::new(status);
                    }
                    let faults: fn(&Self) -> Option<HttpException> = $faults;
                    let text = || HttpException::new(status).with_detail(self.body_text());
                    faults(self).unwrap_or_else(text)
                }
            }

            /// Converts the rejection of an extractor into a 422 with the fault of the request.
            ///
            /// A rejection for another reason has its own status and text, such as 415 for the
            /// content type and 413 for the length of the body. A fault of the server (5xx) has no
            /// text. The rejection is the source of the exception.
            #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
            impl From<$Rejection> for HttpException {
                #[track_caller]
                fn from(rejection: $Rejection) -> Self {
                    rejection.exception().with_source(rejection)
                }
            }
        )*
    };
}

conversions! {
    JsonRejection: of_json;
    PathRejection: of_path;
    QueryRejection: of_query;
    FormRejection: of_form;
    // They are about a part as a whole.
    RawFormRejection: |_| None;
    BytesRejection: |_| None;
    StringRejection: |_| None;
    ExtensionRejection: |_| None;
}

fn of_json(rejection: &JsonRejection) -> Option<HttpException> {
    let invalid = HttpException::invalid();
    if let Some(error) = find_source::<JsonError>(rejection) {
        return Some(invalid.with_json_error(error.path(), error.inner()));
    }
    // Characters after the JSON have no path.
    let error = find_source::<serde_json::Error>(rejection)?;
    Some(invalid.with_syntax_error(error))
}

fn of_query(rejection: &QueryRejection) -> Option<HttpException> {
    of_url_encoded(rejection, RequestPart::Query)
}

fn of_form(rejection: &FormRejection) -> Option<HttpException> {
    let part = match rejection {
        // The form of a GET is the query.
        FormRejection::FailedToDeserializeForm(_) => RequestPart::Query,
        _ => RequestPart::Body,
    };
    of_url_encoded(rejection, part)
}

fn of_url_encoded(rejection: &(dyn Error + 'static), part: RequestPart) -> Option<HttpException> {
    let error = find_source::<UrlEncodedError>(rejection)?;
    let message = error.inner().to_string();
    Some(HttpException::invalid().with_serde_error(part, error.path(), &message))
}

fn of_path(rejection: &PathRejection) -> Option<HttpException> {
    let PathRejection::FailedToDeserializePathParams(error) = rejection else {
        return None;
    };
    let wrong = |value: &str, expected: &str| {
        // axum has the names of Rust, and serde a name of its own for this type.
        let expected = match expected {
            "bool" => "a boolean",
            expected => expected,
        };
        let fault = wrong_type(expected, "Input has another form than the expected one");
        of_text(fault).with_input(Some(Value::from(value)))
    };
    let key = |key: &String| vec![Step::Key(key.as_str().into())];
    let (fault, steps) = match error.kind() {
        ErrorKind::ParseErrorAtKey {
            key: name,
            value,
            expected_type,
        } => (wrong(value, expected_type), key(name)),
        ErrorKind::ParseErrorAtIndex {
            index,
            value,
            expected_type,
        } => (wrong(value, expected_type), vec![Step::Index(*index)]),
        ErrorKind::ParseError {
            value,
            expected_type,
        } => (wrong(value, expected_type), Vec::new()),
        ErrorKind::DeserializeError {
            key: name,
            value,
            message,
        } => {
            let fault = Fault::new(message.clone());
            (
                fault.with_input(Some(Value::from(value.as_str()))),
                key(name),
            )
        }
        ErrorKind::InvalidUtf8InPathParam { key: name } => (
            Fault::new("Input should be UTF-8").with_input(None),
            key(name),
        ),
        other => (Fault::new(other.to_string()).with_input(None), Vec::new()),
    };
    let position = FaultPosition::new(RequestPart::Path, steps);
    Some(HttpException::invalid().with_fault(fault, position))
}

/// Sets FastAPI's type for a text that does not parse: a path has no other values.
fn of_text(fault: Fault) -> Fault {
    let fault_type = match fault.fault_type() {
        "int_type" => "int_parsing",
        "float_type" => "float_parsing",
        "bool_type" => "bool_parsing",
        _ => return fault,
    };
    fault.with_type(fault_type)
}

fn find_source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    sources(error).find_map(|error| error.downcast_ref())
}
