use std::thread;

use crate::{How, Place, WebSocketException, raise::Asking, thrown::Thrown};

/// Why a connection is closed.
pub enum Cause {
    /// Something was caught: handlers and observers apply.
    Thrown(Thrown),
    /// The server said so, for reasons of its own.
    Ordered(WebSocketException),
    /// The application has let go of it.
    Dropped,
}

impl Cause {
    /// Why the application lets go of a connection at this moment.
    pub fn of_drop(asking: &Asking) -> Self {
        if !thread::panicking() {
            return Self::Dropped;
        }
        Self::Thrown(match asking.unwinding() {
            Some(exception) => Thrown::exception(exception, How::Raised, Place::Upgraded),
            None => Thrown::unknown_panic(Place::Upgraded),
        })
    }
}
