//! The fault of a request that serde cannot deserialise: its position, its type, its message.
//!
//! serde's errors are text. The texts that serde and its derive write are known, so that each of
//! them becomes a type and a message that names no type of the server. Any other text comes from a
//! `Deserialize` or a `Visitor` of user code, which writes it for the client.

use serde_json::{Value, error::Category};
use serde_path_to_error::{Error, Path, Segment};

use super::{
    fault::Fault,
    fault_position::{FaultPosition, RequestPart, Step},
    http::HttpException,
};

/// Converts a body that is no JSON, or JSON of another form, into a 422 with one fault.
///
/// The fault has FastAPI's types: `json_invalid` for what is no JSON, `missing` for a field that is
/// missing and for an empty body, and types such as `string_type` for values of a wrong type. The
/// error is the source of the exception.
///
/// ```
/// use serde::Deserialize;
/// use tower_exception::HttpException;
///
/// #[derive(Debug, Deserialize)]
/// struct Item {
///     tags: Vec<String>,
/// }
///
/// fn item(json: &str) -> Result<Item, HttpException> {
///     let mut json = serde_json::Deserializer::from_str(json);
///     Ok(serde_path_to_error::deserialize(&mut json)?)
/// }
///
/// let exception = item(r#"{"tags": ["a", 2]}"#).unwrap_err();
/// assert_eq!(exception.to_string(), "422: tags[1]: Input should be a string");
/// assert_eq!(item("{}").unwrap_err().to_string(), "422: tags: Field required");
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "serde_path_to_error")))]
impl From<Error<serde_json::Error>> for HttpException {
    #[track_caller]
    fn from(error: Error<serde_json::Error>) -> Self {
        Self::invalid()
            .with_json_error(error.path(), error.inner())
            .with_source(error)
    }
}

impl HttpException {
    /// Adds the fault of the body at which the deserialisation of JSON has failed.
    pub(crate) fn with_json_error(self, path: &Path, error: &serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => self.with_serde_error(RequestPart::Body, path, &message_of(error)),
            _ if error.is_eof() && (error.line(), error.column()) == (1, 0) => {
                self.at("", Fault::missing().with_input(None))
            }
            _ => self.with_syntax_error(error),
        }
    }

    /// Adds the fault of a body that is no JSON.
    pub(crate) fn with_syntax_error(self, error: &serde_json::Error) -> Self {
        let fault = Fault::new(format!("JSON decode error: {error}")).with_type("json_invalid");
        // Only the first line begins at a known position. A column is that after the character, or
        // that of the last character if the text ends too early.
        let before = usize::from(!error.is_eof());
        let offset = (error.line() == 1).then(|| error.column().saturating_sub(before));
        self.with_fault(fault.with_input(None), FaultPosition::of_offset(offset))
    }

    /// Adds the fault of the part at which the deserialisation of a value has failed. `message` is
    /// serde's.
    pub(crate) fn with_serde_error(self, part: RequestPart, path: &Path, message: &str) -> Self {
        let mut steps: Vec<_> = path.iter().filter_map(step).collect();
        let (fault, field) = fault_of(message);
        if let Some(field) = field {
            let field = Step::Key(field.into());
            if steps.last() != Some(&field) {
                steps.push(field);
            }
        }
        self.with_fault(fault, FaultPosition::new(part, steps))
    }
}

/// A step of serde's path. The variant of an enum is a key: that is its form in JSON, unless the
/// enum has another representation.
fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.as_str().into())),
        Segment::Enum { variant } => Some(Step::Key(variant.as_str().into())),
        Segment::Unknown => None,
    }
}

/// Returns the text of an error without its position, which the path says better.
fn message_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&position) {
        Some(message) => message.to_owned(),
        None => text,
    }
}

/// Returns the fault of one of serde's messages, and the field that the message names.
fn fault_of(message: &str) -> (Fault, Option<&str>) {
    if let Some(field) = quoted(message, "missing field `") {
        return (Fault::missing().with_input(None), Some(field));
    }
    if let Some(field) = quoted(message, "unknown field `") {
        let fault = Fault::new("Unknown field").with_type("extra_forbidden");
        return (fault.with_input(None), Some(field));
    }
    let input = |prefix| message.strip_prefix(prefix)?.rsplit_once(", expected ");
    let fault = if let Some((input, expected)) = input("invalid type: ") {
        wrong_type(expected, message).with_input(input_of(input))
    } else if let Some((input, expected)) = input("invalid value: ") {
        let is_number = input.starts_with("integer `") || input.starts_with("floating point `");
        let fault = match is_number && number(expected).is_some() {
            true => Fault::new("Input is out of range").with_type("out_of_range"),
            false => wrong_type(expected, message),
        };
        fault.with_input(input_of(input))
    } else {
        wrong_text(message).with_input(None)
    };
    (fault, None)
}

/// Returns the text between `prefix` and the next backtick.
fn quoted<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    let (text, _) = message.strip_prefix(prefix)?.split_once('`')?;
    Some(text)
}

/// Returns the fault of a value whose type is not the expected one.
pub(super) fn wrong_type(expected: &str, message: &str) -> Fault {
    let (fault_type, message) = match expected {
        "a string" | "a character" | "a borrowed string" | "string or bytes" => {
            ("string_type", "Input should be a string")
        }
        "a boolean" => ("bool_type", "Input should be a boolean"),
        "a sequence" | "an array" => ("list_type", "Input should be an array"),
        "a map" => ("dict_type", "Input should be an object"),
        _ => match number(expected).or_else(|| named(expected)) {
            Some(fault) => fault,
            None => return Fault::new(message.to_owned()),
        },
    };
    Fault::new(message).with_type(fault_type)
}

/// Returns the type and the message for a type of the server, whose name is not for the client.
fn named(expected: &str) -> Option<(&'static str, &'static str)> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| expected.starts_with(prefix));
    if starts(&["struct "]) {
        Some(("model_attributes_type", "Input should be an object"))
    } else if starts(&["a tuple ", "an array of ", "tuple "]) {
        Some(("list_type", "Input should be an array"))
    } else if starts(&["unit ", "newtype "]) || expected.contains("enum ") {
        Some(("union_type", "Input has none of the expected forms"))
    } else {
        None
    }
}

/// Returns the type and the message for an expected number, if serde means one.
fn number(expected: &str) -> Option<(&'static str, &'static str)> {
    match expected {
        "f32" | "f64" => Some(("float_type", "Input should be a number")),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128"
        | "usize" => Some(("int_type", "Input should be an integer")),
        _ => None,
    }
}

/// Returns the fault of a text in a query, a form or a path that does not parse as its type, by the
/// message of the standard library.
fn wrong_text(message: &str) -> Fault {
    let (fault_type, message) = match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            ("int_parsing", "Input should be an integer")
        }
        "number too large to fit in target type" | "number too small to fit in target type" => {
            ("out_of_range", "Input is out of range")
        }
        "invalid float literal" | "cannot parse float from empty string" => {
            ("float_parsing", "Input should be a number")
        }
        "provided string was not `true` or `false`" => {
            ("bool_parsing", "Input should be a boolean")
        }
        _ if message.starts_with("unknown variant `") => ("enum", message),
        _ if message.starts_with("data did not match any variant") => {
            ("union_type", "Input has none of the expected forms")
        }
        _ => {
            let length = message.strip_prefix("invalid length ");
            let expected = length.and_then(|length| length.split_once(", expected "));
            match expected.and_then(|(_, expected)| named(expected)) {
                Some(fault) => fault,
                None => return Fault::new(message.to_owned()),
            }
        }
    };
    Fault::new(message.to_owned()).with_type(fault_type)
}

/// Returns the input that serde's message shows: a number, a text, a boolean or null. A message
/// shows no map and no sequence.
fn input_of(shown: &str) -> Option<Value> {
    let json = ["integer `", "floating point `", "boolean `"]
        .iter()
        .find_map(|prefix| quoted(shown, prefix));
    if let Some(json) = json {
        return serde_json::from_str(json).ok();
    }
    let text = shown.strip_prefix("string ")?;
    // serde writes a text as Rust does. Without an escape that is a text in JSON too.
    match text.contains('\\') {
        true => None,
        false => serde_json::from_str(text).ok(),
    }
}
