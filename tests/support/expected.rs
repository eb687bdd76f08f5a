//! Expected responses, each in the one line that a [`Received`](super::Received) displays.

/// Response to an error or a panic that no handler and no table knows.
pub const PLAIN_500: &str = "500 | content-length: 34 | content-type: application/json | \
                             {\"detail\":\"Internal Server Error\"}";

/// Response to an `Elapsed`, with the feature `tower`.
pub const PLAIN_504: &str = "504 | content-length: 28 | content-type: application/json | \
                             {\"detail\":\"Gateway Timeout\"}";
