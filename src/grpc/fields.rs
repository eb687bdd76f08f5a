//! Fields of a gRPC status, and the limit to their size.

use bytes::Bytes;

#[cfg(feature = "tonic")]
use super::{base64, metadata::GRPC_STATUS_DETAILS_BIN};
use super::{code::GrpcCode, message};
#[cfg(feature = "tonic")]
use crate::diagnostics;
use crate::exception::HttpException;

/// Maximum encoded length of the message and the details together, in bytes.
///
/// A client may refuse more than 8 KiB of trailers. It then reports only its own refusal and loses
/// the status. 1 KiB of the 8 KiB is left for the code and the metadata.
const STATUS_BUDGET_BYTES: usize = 7 * 1024;

/// Encoded length that is reserved for the message next to long details, in bytes.
///
/// It has room for a sentence, and leaves nearly all of [`STATUS_BUDGET_BYTES`] to the details.
#[cfg(feature = "tonic")]
const MIN_MESSAGE_BYTES: usize = 256;

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
            message: exception.detail_or_reason().to_string(),
            details: Bytes::new(),
        }
    }

    /// Truncates the message to [`STATUS_BUDGET_BYTES`].
    pub(crate) fn truncated(mut self) -> Self {
        message::truncate(&mut self.message, STATUS_BUDGET_BYTES);
        self
    }

    /// Adds the details that `encode` makes of the code and the message.
    ///
    /// If both do not fit, a long message is truncated in favor of the details. If the details do
    /// not fit even then, they are left out.
    #[cfg(feature = "tonic")]
    pub(crate) fn with_details(self, encode: impl Fn(GrpcCode, &str) -> Bytes) -> Self {
        for max_len in [STATUS_BUDGET_BYTES, MIN_MESSAGE_BYTES] {
            let mut message = self.message.clone();
            message::truncate(&mut message, max_len);
            let details = encode(self.code, &message);
            let details_len = base64::encoded_len(details.len());
            if message::max_encoded_len(&message) + details_len <= STATUS_BUDGET_BYTES {
                return Self {
                    message,
                    details,
                    ..self
                };
            }
        }
        diagnostics::header_dropped(&GRPC_STATUS_DETAILS_BIN, "it is too long");
        self.truncated()
    }
}
