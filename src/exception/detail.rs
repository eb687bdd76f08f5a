use std::{borrow::Cow, fmt};

use http::StatusCode;
use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// What an [`HttpException`](crate::HttpException) tells the client, beside its status.
///
/// Anything that converts into it goes to
/// [`with_detail`](crate::HttpException::with_detail): a `&'static str` (kept without allocating),
/// a `String`, a [`serde_json::Value`], a [`RawValue`].
///
/// ```
/// use serde_json::json;
/// use tower_exception::HttpException;
///
/// let text = HttpException::not_found("Item not found");
/// let owned = HttpException::not_found(format!("no item {}", 42));
/// let structured = HttpException::unprocessable_entity(json!({ "field": "name" }));
///
/// assert_eq!(text.to_string(), "404: Item not found");
/// assert_eq!(owned.to_string(), "404: no item 42");
/// assert_eq!(structured.to_string(), r#"422: {"field":"name"}"#);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing of its own: the client is shown the status's canonical reason, or an empty text
    /// where the status has none.
    #[default]
    Canonical,
    /// A text.
    Text(Cow<'static, str>),
    /// Any other JSON, as it goes on the wire.
    Json(Box<RawValue>),
}

impl Detail {
    /// Serialises `value`. A struct's fields keep their order.
    ///
    /// # Errors
    ///
    /// Those of [`serde_json`]: `value`'s own `Serialize` fails, or it holds a map whose keys are
    /// not text.
    ///
    /// ```
    /// # fn main() -> Result<(), serde_json::Error> {
    /// # use tower_exception::Detail;
    /// #[derive(serde::Serialize)]
    /// struct Shortage { wanted: u32, left: u32 }
    ///
    /// let detail = Detail::json(&Shortage { wanted: 3, left: 1 })?;
    /// assert!(matches!(detail, Detail::Json(raw) if raw.get() == r#"{"wanted":3,"left":1}"#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self::from)
    }

    /// The detail as the client is shown it, given the exception's status.
    pub(crate) fn shown(&self, status: StatusCode) -> Shown<'_> {
        match self {
            Self::Canonical => Shown::Text(status.canonical_reason().unwrap_or_default()),
            Self::Text(text) => Shown::Text(text),
            Self::Json(raw) => Shown::Json(raw),
        }
    }
}

/// A detail of which nothing is left to look up: it has become text or JSON.
#[derive(Clone, Copy)]
pub(crate) enum Shown<'a> {
    Text(&'a str),
    Json(&'a RawValue),
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Json(raw) => raw.serialize(serializer),
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(text) => text,
            Self::Json(raw) => raw.get(),
        })
    }
}

impl From<&'static str> for Detail {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Cow<'static, str>> for Detail {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

/// `null` is no detail, and a JSON string is a text.
impl From<Value> for Detail {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Canonical,
            Value::String(text) => Self::Text(Cow::Owned(text)),
            // A `Value`'s keys are text, so that it always serialises.
            value => Self::json(&value).unwrap_or_default(),
        }
    }
}

/// `null` is no detail, and a JSON string is a text.
impl From<Box<RawValue>> for Detail {
    fn from(raw: Box<RawValue>) -> Self {
        match raw.get().as_bytes().first() {
            Some(b'n') => Self::Canonical,
            Some(b'"') => match serde_json::from_str(raw.get()) {
                Ok(text) => Self::Text(Cow::Owned(text)),
                // A string with a lone surrogate is JSON, but no Rust string.
                Err(_) => Self::Json(raw),
            },
            _ => Self::Json(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_that_is_text_or_nothing_becomes_so() {
        for null in [
            Detail::from(Value::Null),
            Detail::json(&None::<u8>).unwrap(),
        ] {
            assert!(matches!(null, Detail::Canonical));
        }
        for text in [
            Detail::from(json!("a\nb")),
            Detail::json(&"a\nb").unwrap(),
            Detail::json("a\nb").unwrap(),
        ] {
            assert!(matches!(text, Detail::Text(text) if text == "a\nb"));
        }
    }

    #[test]
    fn a_string_that_rust_cannot_hold_stays_json() {
        let raw = RawValue::from_string(r#""\ud800""#.to_owned()).unwrap();
        assert!(matches!(Detail::from(raw), Detail::Json(raw) if raw.get() == r#""\ud800""#));
    }

    #[test]
    fn what_does_not_serialise_is_an_error() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(
            Detail::json(&map).unwrap_err().to_string(),
            "key must be a string"
        );
    }
}
