//! A checker of problem documents by the rules of RFC 9457.

use std::fmt;

use http::StatusCode;
use iri_string::types::UriReferenceStr;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::Received;

/// The members that the RFC defines (section 3.1).
const STANDARD: [&str; 5] = ["type", "title", "status", "detail", "instance"];

/// Returns the problem document that a client received, or the rule that it breaks.
#[track_caller]
pub fn problem_in(received: &Received) -> Value {
    // Section 3: the media type. It has no parameters (section 6.1).
    let content_type = received.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"), "{received}");
    if let Some(length) = received.header("content-length") {
        assert_eq!(length, received.body.len().to_string(), "{received}");
    }
    problem_document(&received.body, received.status)
}

/// Returns the problem document in the body of a response with this status.
///
/// # Panics
///
/// Panics with the rule that the document breaks.
#[track_caller]
pub fn problem_document(body: &[u8], status: StatusCode) -> Value {
    match read(body, status) {
        Ok(document) => document,
        Err(problem) => panic!("{problem}: {}", String::from_utf8_lossy(body)),
    }
}

fn read(body: &[u8], status: StatusCode) -> Result<Value, String> {
    let Members(members) = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for (name, value) in &members {
        check(name, value, status).map_err(|problem| format!("{name}: {problem}"))?;
    }
    Ok(Value::Object(members.into_iter().collect()))
}

/// Checks one member. RFC 9457 lets a client ignore a member that breaks a rule (section 3.1).
fn check(name: &str, value: &Value, status: StatusCode) -> Result<(), &'static str> {
    match (name, value) {
        // Section 3.1.2: a JSON number, that of the response.
        ("status", value) if *value == status.as_u16() => Ok(()),
        ("status", _) => Err("not the status of the response"),
        ("type" | "instance", Value::String(text)) => match UriReferenceStr::new(text) {
            // Sections 3.1.1 and 3.1.5.
            Ok(_) => Ok(()),
            Err(_) => Err("no URI reference"),
        },
        ("title" | "detail", Value::String(text)) if text.trim().is_empty() => Err("blank"),
        ("title" | "detail", Value::String(_)) => Ok(()),
        (name, _) if STANDARD.contains(&name) => Err("no text"),
        ("errors", Value::Array(errors)) => errors.iter().try_for_each(check_error),
        // Section 3.2: three characters or more, a letter, then letters, digits and `_`.
        (name, _) => match is_extension_name(name) {
            true => Ok(()),
            false => Err("no name of an extension"),
        },
    }
}

/// Checks one fault of a request, as the example in section 3 has it. Other elements are free.
fn check_error(error: &Value) -> Result<(), &'static str> {
    let pointer = match error.get("pointer") {
        None => return Ok(()),
        Some(pointer) => pointer.as_str().ok_or("a pointer that is no text")?,
    };
    let Some(fragment) = pointer.strip_prefix('#') else {
        return Err("a pointer that is no fragment");
    };
    // RFC 6901, sections 3 and 6.
    match UriReferenceStr::new(pointer).is_ok()
        && matches!(fragment.chars().next(), None | Some('/'))
    {
        true if error["detail"].is_string() => Ok(()),
        true => Err("a pointer without a detail"),
        false => Err("no JSON pointer"),
    }
}

fn is_extension_name(name: &str) -> bool {
    name.len() >= 3
        && name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The members of an object, none of which has the name of another one (RFC 8259, section 4).
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("two members `{name}`")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
