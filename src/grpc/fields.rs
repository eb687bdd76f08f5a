//! Fields of a gRPC status, and the limit to its size.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{
    base64,
    code::GrpcCode,
    message,
    metadata::{GRPC_MESSAGE, GRPC_STATUS_DETAILS_BIN, limit_metadata},
};
#[cfg(feature = "tonic")]
use super::{
    details::{Details, with_domain, with_request_info},
    metadata::GRPC_STATUS,
};
use crate::{diagnostics, exception::HttpException};

/// Maximum encoded length of the message, the details and the metadata together, in bytes.
///
/// A client may refuse more than 8 KiB of trailers. It then reports only its own refusal and loses
/// the status. 1 KiB of the 8 KiB is left for the code, the names of the fields, and what the
/// server and the layers further out add.
const STATUS_BUDGET_BYTES: usize = 7 * 1024;

/// Maximum encoded lengths of the message next to details, in bytes. The first one that leaves
/// enough room for the details applies.
///
/// The details repeat the message, in Base64: next to short ones it has 3,000 bytes. The last one
/// has room for a sentence, and leaves nearly all of [`STATUS_BUDGET_BYTES`] to the details.
#[cfg(feature = "tonic")]
const MESSAGE_BYTES: [usize; 5] = [STATUS_BUDGET_BYTES, 3_000, 1_500, 750, 256];

/// The reason for which details are dropped.
const TOO_LONG: &str = "it is too long";

/// Fields of a status, without its metadata.
pub(crate) struct StatusFields {
    pub(crate) code: GrpcCode,
    pub(crate) message: String,
    /// A `google.rpc.Status`, or empty.
    pub(crate) details: Bytes,
}

impl StatusFields {
    /// Returns the code and the message of `exception`, without details.
    pub(crate) fn of(exception: &HttpException) -> Self {
        Self {
            code: exception.status().into(),
            message: exception.message().into_owned(),
            details: Bytes::new(),
        }
    }

    /// Truncates the message to [`STATUS_BUDGET_BYTES`].
    pub(crate) fn truncated(mut self) -> Self {
        message::truncate(&mut self.message, STATUS_BUDGET_BYTES);
        self
    }

    /// Drops the details and truncates the message as far as both do not fit. The details go first,
    /// because they repeat the message, which clients compare.
    #[cfg(feature = "tonic")]
    pub(crate) fn limited(mut self) -> Self {
        if !self.details.is_empty() && self.encoded_len() > STATUS_BUDGET_BYTES {
            diagnostics::header_dropped(&GRPC_STATUS_DETAILS_BIN, TOO_LONG);
            self.details = Bytes::new();
        }
        self.truncated()
    }

    fn encoded_len(&self) -> usize {
        message::max_encoded_len(&self.message) + base64::encoded_len(self.details.len())
    }

    /// Removes metadata that does not fit with the message and the details.
    pub(crate) fn limit_metadata(&self, metadata: &mut HeaderMap) {
        limit_metadata(
            metadata,
            STATUS_BUDGET_BYTES.saturating_sub(self.encoded_len()),
        );
    }

    /// Adds the details.
    ///
    /// If both do not fit, a long message is truncated in favor of the details. If the details do
    /// not fit even then, the least important part of them is left out.
    #[cfg(feature = "tonic")]
    pub(crate) fn with_details(self, mut details: Details) -> Self {
        while !details.is_empty() {
            for max_len in MESSAGE_BYTES {
                let mut message = self.message.clone();
                message::truncate(&mut message, max_len);
                let encoded = details.encode(self.code, &message);
                let details_len = base64::encoded_len(encoded.len());
                if message::max_encoded_len(&message) + details_len <= STATUS_BUDGET_BYTES {
                    return Self {
                        message,
                        details: encoded,
                        ..self
                    };
                }
            }
            let part = details.drop_least();
            match details.is_empty() {
                true => diagnostics::header_dropped(&GRPC_STATUS_DETAILS_BIN, TOO_LONG),
                false => diagnostics::detail_dropped(part, TOO_LONG),
            }
        }
        self.truncated()
    }
}

/// Sets the domain of each `ErrorInfo` without one in the details of a status, if there is room.
#[cfg(feature = "tonic")]
#[cold]
pub(crate) fn set_error_domain(headers: &mut HeaderMap, domain: &str) {
    let details = headers
        .get(GRPC_STATUS_DETAILS_BIN)
        .and_then(|value| with_domain(&base64::decode(value.as_bytes()), domain));
    if let Some(details) = details {
        replace_details(headers, &details, "the domain");
    }
}

/// Adds the id of the failure to the details of a status that is not OK, if there is room.
#[cfg(feature = "tonic")]
#[cold]
pub(crate) fn set_request_info(headers: &mut HeaderMap, id: &str) {
    let code = headers.get(GRPC_STATUS).and_then(|code| code.to_str().ok());
    let Some(code) = code
        .and_then(|code| code.parse().ok())
        .filter(|code| *code != 0)
    else {
        return;
    };
    let details = headers.get(GRPC_STATUS_DETAILS_BIN);
    let details = details.map_or(Vec::new(), |value| base64::decode(value.as_bytes()));
    let message = || {
        headers
            .get(GRPC_MESSAGE)
            .map(message::decode)
            .unwrap_or_default()
    };
    if let Some(details) = with_request_info(&details, code, message, id) {
        replace_details(headers, &details, "the id");
    }
}

/// Sets the details of a status, unless there is no room for `part`, which they have in addition.
#[cfg(feature = "tonic")]
fn replace_details(headers: &mut HeaderMap, details: &[u8], part: &'static str) {
    let details = base64::encode(details);
    // A binary header has no padding.
    let Ok(details) = HeaderValue::from_str(details.trim_end_matches('=')) else {
        return;
    };
    let message_len = headers.get(GRPC_MESSAGE).map_or(0, HeaderValue::len);
    if message_len + details.len() > STATUS_BUDGET_BYTES {
        return diagnostics::detail_dropped(part, TOO_LONG);
    }
    // A full map is full.
    let _ = headers.try_insert(GRPC_STATUS_DETAILS_BIN, details);
    limit_status(headers);
}

/// Limits the size of a status that tonic or a handler has written into `headers`, so that no
/// client loses the status.
///
/// The least important part goes first: metadata that does not fit, then the details, then the end
/// of the message.
pub(crate) fn limit_status(headers: &mut HeaderMap) {
    let len = |headers: &HeaderMap, name| headers.get(name).map_or(0, HeaderValue::len);
    let details_len = len(headers, GRPC_STATUS_DETAILS_BIN);
    if details_len + len(headers, GRPC_MESSAGE) > STATUS_BUDGET_BYTES {
        if headers.remove(GRPC_STATUS_DETAILS_BIN).is_some() {
            diagnostics::header_dropped(&GRPC_STATUS_DETAILS_BIN, TOO_LONG);
        }
        if let Some(value) = headers.get_mut(GRPC_MESSAGE) {
            if value.len() > STATUS_BUDGET_BYTES {
                let mut message = message::decode(value);
                message::truncate(&mut message, STATUS_BUDGET_BYTES);
                *value = message::encode(&message);
            }
        }
    }
    let fields = len(headers, GRPC_MESSAGE) + len(headers, GRPC_STATUS_DETAILS_BIN);
    limit_metadata(headers, STATUS_BUDGET_BYTES.saturating_sub(fields));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use proptest::prelude::*;

    #[cfg(feature = "tonic")]
    #[test]
    fn details_that_just_fit_stay() {
        let limited = |details: usize, message: &str| {
            let fields = StatusFields {
                code: GrpcCode::NotFound,
                message: message.to_owned(),
                details: Bytes::from(vec![1; details]),
            };
            fields.limited().details.len()
        };
        let most = STATUS_BUDGET_BYTES / 4 * 3;
        assert_eq!(limited(most, ""), most);
        assert_eq!(limited(most, "x"), 0);
        assert_eq!(limited(most - 3, "xxxx"), most - 3);
    }

    proptest! {
        /// The names and 32 bytes a line are in the 8 KiB that clients count.
        #[test]
        fn every_status_fits(
            message in "[a-z\u{fc} ]{0,300}",
            times in 0_usize..60,
            details in 0_usize..12_000,
            metadata in prop::collection::vec(0_usize..5_000, 0..4),
        ) {
            let message = message.repeat(times);
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("5"));
            headers.insert(GRPC_MESSAGE, message::encode(&message));
            let details = HeaderValue::try_from("A".repeat(details)).unwrap();
            headers.insert(GRPC_STATUS_DETAILS_BIN, details);
            for (at, len) in metadata.into_iter().enumerate() {
                let name = HeaderName::try_from(format!("x-{at}")).unwrap();
                headers.insert(name, HeaderValue::try_from("v".repeat(len)).unwrap());
            }
            let before = headers.clone();
            limit_status(&mut headers);
            let size = |headers: &HeaderMap| -> usize {
                let lines = headers.iter();
                lines.map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
            };
            prop_assert!(size(&headers) < 7 * 1024 + 256);
            if size(&before) < 7 * 1024 {
                prop_assert_eq!(&headers, &before);
            }
            let shown = message::decode(&headers[GRPC_MESSAGE]);
            let shown = shown.strip_suffix("...").unwrap_or(&shown);
            prop_assert!(message.starts_with(shown));
            prop_assert_eq!(&headers["grpc-status"], "5");
        }
    }
}
