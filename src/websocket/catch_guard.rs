//! An active catch, which delays the close of its connection.

use std::sync::Arc;

use super::connection::Connection;

/// Active catch of failures in the application's task, until dropped.
pub(crate) struct CatchGuard {
    connection: Arc<Connection>,
    is_complete: bool,
}

impl CatchGuard {
    pub(crate) fn begin(connection: &Arc<Connection>) -> Self {
        connection.begin_catch();
        Self {
            connection: Arc::clone(connection),
            is_complete: false,
        }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Ends the catch after its future has completed.
    pub(crate) fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for CatchGuard {
    fn drop(&mut self) {
        self.connection.end_catch(self.is_complete);
    }
}
