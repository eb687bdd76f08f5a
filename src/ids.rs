//! Ids of failures: taken from the request or made anew, and checked before a client receives them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Maximum length of an id that a request brings, in bytes. A close frame has room for 123 bytes of
/// reason, of which the words before the id take 10.
const MAX_ID_BYTES: usize = 100;

/// Header of the request id, in requests and responses. It is no standard, but customary.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Header of W3C's Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sources of the id that connects a response with a line in the log:
/// [`identify`](crate::ExceptionLayer::identify).
///
/// The sources are asked in order, and the first one that has an id counts.
///
/// ```
/// use tower_exception::{ExceptionLayer, Ids};
///
/// let ids = Ids::request_id().or_trace_id();
/// # #[cfg(feature = "uuid")]
/// let ids = ids.or_new();
/// let layer = ExceptionLayer::new().identify(ids);
/// ```
///
/// # Ids that a client sends
///
/// A client may send anything. An id counts only if it has 1 to 100 characters, each of which is an
/// ASCII letter, a digit, or one of `-_.:/+=@~`. Otherwise the next source is asked. A client that
/// chooses the ids may choose equal ones. A proxy or a layer further out prevents that if it
/// replaces them.
#[derive(Clone, Debug)]
#[must_use = "ids are used by the layer that has them"]
pub struct Ids {
    sources: Vec<Source>,
    response_header: HeaderName,
}

#[derive(Clone, Debug)]
enum Source {
    Header(HeaderName),
    TraceId,
    #[cfg(feature = "uuid")]
    New,
}

impl Ids {
    fn of(source: Source) -> Self {
        Self {
            sources: vec![source],
            response_header: X_REQUEST_ID,
        }
    }

    fn or(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Takes the id from the request's header `x-request-id`, which proxies and `SetRequestIdLayer`
    /// of tower-http set.
    pub fn request_id() -> Self {
        Self::header(X_REQUEST_ID)
    }

    /// Takes the id from this header of the request.
    pub fn header(name: HeaderName) -> Self {
        Self::of(Source::Header(name))
    }

    /// Takes the trace id from the request's header `traceparent`: 32 hexadecimal digits
    /// ([Trace Context, section 3.2](https://www.w3.org/TR/trace-context/#traceparent-header)).
    pub fn trace_id() -> Self {
        Self::of(Source::TraceId)
    }

    /// Makes a new id for each failure: a UUID of version 7
    /// ([RFC 9562, section 5.7](https://www.rfc-editor.org/rfc/rfc9562#section-5.7)), which begins
    /// with the time. A request that does not fail makes none.
    #[cfg(feature = "uuid")]
    pub fn new_id() -> Self {
        Self::of(Source::New)
    }

    /// Otherwise takes the id from `x-request-id`. See [`request_id`](Self::request_id).
    pub fn or_request_id(self) -> Self {
        self.or_header(X_REQUEST_ID)
    }

    /// Otherwise takes the id from this header of the request.
    pub fn or_header(self, name: HeaderName) -> Self {
        self.or(Source::Header(name))
    }

    /// Otherwise takes the trace id from `traceparent`. See [`trace_id`](Self::trace_id).
    pub fn or_trace_id(self) -> Self {
        self.or(Source::TraceId)
    }

    /// Otherwise makes a new id. See [`new_id`](Self::new_id).
    #[cfg(feature = "uuid")]
    pub fn or_new(self) -> Self {
        self.or(Source::New)
    }

    /// Sets the header of the response that has the id. Defaults to `x-request-id`.
    pub fn with_response_header(mut self, name: HeaderName) -> Self {
        self.response_header = name;
        self
    }

    /// Returns the header of the response that has the id.
    pub(crate) fn response_header(&self) -> &HeaderName {
        &self.response_header
    }

    /// Returns whether a header of the request may have the id.
    pub(crate) fn reads_headers(&self) -> bool {
        let is_header = |source: &Source| matches!(source, Source::Header(_) | Source::TraceId);
        self.sources.iter().any(is_header)
    }

    /// Returns the first id that a request has brought in `headers`.
    pub(crate) fn received(&self, headers: &HeaderMap) -> Option<ReceivedId> {
        self.sources.iter().find_map(|source| {
            let (name, is_traceparent) = match source {
                Source::Header(name) => (name, false),
                Source::TraceId => (&TRACEPARENT, true),
                #[cfg(feature = "uuid")]
                Source::New => return None,
            };
            let id = ReceivedId {
                value: headers.get(name)?.clone(),
                is_traceparent,
            };
            id.as_str().is_some().then_some(id)
        })
    }

    /// Makes a new id, if the sources say so.
    pub(crate) fn make(&self) -> Option<Arc<str>> {
        #[cfg(feature = "uuid")]
        if self.sources.iter().any(|it| matches!(it, Source::New)) {
            let mut text = uuid::Uuid::encode_buffer();
            let text = uuid::Uuid::now_v7().hyphenated().encode_lower(&mut text);
            return Some(Arc::from(&*text));
        }
        None
    }
}

/// Id that a request has brought, in the header that has it.
#[derive(Clone)]
pub(crate) struct ReceivedId {
    value: HeaderValue,
    is_traceparent: bool,
}

impl ReceivedId {
    /// Returns the id, if it is valid.
    pub(crate) fn as_str(&self) -> Option<&str> {
        let value = self.value.to_str().ok()?;
        match self.is_traceparent {
            true => trace_id(value),
            false => is_id(value).then_some(value),
        }
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn value_mut(&mut self) -> &mut HeaderValue {
        &mut self.value
    }
}

/// Returns whether a client may receive this id again, and a log may contain it.
fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(&byte);
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Returns the trace id in a `traceparent`, if both are valid (Trace Context, section 3.2.2).
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut fields = traceparent.split('-');
    let version = fields.next()?;
    let id = fields.next()?;
    let parent = fields.next()?;
    let flags = fields.next()?;
    let is_hex = |field: &str, length| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        field.len() == length && field.bytes().all(is_digit)
    };
    let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    let has_form = is_hex(version, 2) && is_hex(id, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    // Later versions may have more fields.
    let is_known = version != "ff" && (version != "00" || fields.next().is_none());
    (has_form && is_known && !is_zero(id) && !is_zero(parent)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// The examples of Trace Context and violations of each of its rules.
    #[test]
    fn the_trace_id_of_a_valid_traceparent_is_read() {
        for valid in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more.of-it",
        ] {
            assert_eq!(trace_id(valid), Some(ID), "{valid}");
        }
        for invalid in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47361-0f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn an_id_has_few_characters_of_a_small_alphabet() {
        let long = "a".repeat(MAX_ID_BYTES);
        for valid in ["a", "Root=1-67891233-abcdef", "a.b_c:d/e+f@g~", &long] {
            assert!(is_id(valid), "{valid}");
        }
        let too_long = "a".repeat(MAX_ID_BYTES + 1);
        for invalid in [
            "", " ", "a b", "a,b", "<a>", "a\"", "a;b", "\u{fc}", &too_long,
        ] {
            assert!(!is_id(invalid), "{invalid}");
        }
    }
}
