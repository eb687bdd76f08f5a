//! Time limit of a test, so that a test that hangs fails.

use std::time::Duration;

/// Time limit of one step of a test: longer than any step takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Awaits `future`, and panics if it takes longer than [`LIMIT`].
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future)
        .await
        .expect("not ready within 30 seconds")
}
