//! Settings of adoption, and the error responses that it applies to.

use std::time::Duration;

use http::{
    Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;

use crate::{
    headers::{declared_length, is_utf8_text},
    unwind::catch_or,
};

/// Default limit of the text that is adopted: more than any error text in practice, and little
/// enough to hold in memory.
const DEFAULT_TEXT_BYTES: usize = 64 * 1024;

/// Maximum length of a text without a content type, in bytes.
///
/// It has room for the sentence that a service without a content type responds with, and is shorter
/// than most documents.
const MAX_UNTYPED_TEXT_BYTES: usize = 1024;

/// Default time limit for reading a text. No client has given up by then, and a text that the
/// server has is read in no time.
const DEFAULT_WITHIN: Duration = Duration::from_secs(5);

/// Settings of adoption.
#[derive(Clone, Copy)]
pub(crate) struct Adoption {
    pub(crate) max_text_bytes: usize,
    pub(crate) within: Duration,
    /// Whether the client receives the text of a 5xx.
    pub(crate) shows_server_errors: bool,
}

impl Default for Adoption {
    fn default() -> Self {
        Self {
            max_text_bytes: DEFAULT_TEXT_BYTES,
            within: DEFAULT_WITHIN,
            shows_server_errors: false,
        }
    }
}

/// Text that a response may have.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(super) max_bytes: usize,
    /// Whether the response has the content type of a text.
    is_typed: bool,
}

impl Candidate {
    /// Returns the text to look for in a response, or `None` if it cannot be adopted: unless it has
    /// an error status, and a body that is short enough and has the content type of a text or none.
    /// A compressed text cannot be read.
    pub(crate) fn of<B: Body>(response: &Response<B>, settings: &Adoption) -> Option<Self> {
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            return None;
        }
        let headers = response.headers();
        if headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let content_type = headers.get(CONTENT_TYPE);
        let candidate = match content_type {
            Some(content_type) if !is_utf8_text(content_type) => return None,
            Some(_) => Self {
                max_bytes: settings.max_text_bytes,
                is_typed: true,
            },
            None => Self {
                max_bytes: settings.max_text_bytes.min(MAX_UNTYPED_TEXT_BYTES),
                is_typed: false,
            },
        };
        // The body's methods are user code.
        let length = catch_or(0, || response.body().size_hint().lower());
        let length = length.max(declared_length(headers).unwrap_or(0));
        (length <= candidate.max_bytes as u64).then_some(candidate)
    }

    /// Returns whether the first part of a body may belong to such a text. Without a content type
    /// it may be markup, JSON or binary data.
    pub(super) fn may_begin_with(self, text: &[u8]) -> bool {
        let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
        self.is_typed
            || !matches!(text.trim_ascii_start(), [b'<' | b'{' | b'[' | b'"', ..])
                && !text.iter().any(is_control)
    }
}
