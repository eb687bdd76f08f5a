//! Time limit for reading a body.

use std::{task::Context, time::Duration};

use self::timer::Timer;

/// Time limit that begins with the first wait.
pub(super) struct Deadline {
    within: Duration,
    timer: Option<Timer>,
}

impl Deadline {
    pub(super) fn new(within: Duration) -> Self {
        Self {
            within,
            timer: None,
        }
    }

    /// Returns whether the time is over. Otherwise the task is woken at the end, if there is a
    /// timer.
    pub(super) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> bool {
        let within = self.within;
        within.is_zero()
            || self
                .timer
                .get_or_insert_with(|| Timer::start(within))
                .poll_elapsed(cx)
    }
}

/// tokio's timer.
#[cfg(any(feature = "axum", feature = "tower", feature = "websocket"))]
mod timer {
    use std::{future::Future, pin::Pin, task::Context, time::Duration};

    use tokio::{
        runtime::Handle,
        time::{Sleep, sleep},
    };

    use crate::unwind::catch;

    /// `None` outside of a tokio runtime, and in one without timers: there is no time limit.
    pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

    impl Timer {
        pub(super) fn start(within: Duration) -> Self {
            let runtime = Handle::try_current().ok();
            // `sleep` panics if the runtime has no timers.
            Self(runtime.and_then(|_| catch(|| Box::pin(sleep(within))).ok()))
        }

        pub(super) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> bool {
            match &mut self.0 {
                Some(sleep) => sleep.as_mut().poll(cx).is_ready(),
                None => false,
            }
        }
    }
}

/// The clock alone. It is read if the body wakes the task.
#[cfg(not(any(feature = "axum", feature = "tower", feature = "websocket")))]
mod timer {
    use std::{
        task::Context,
        time::{Duration, Instant},
    };

    use crate::clock::HAS_CLOCK;

    /// `None` if the end is beyond what the clock can say, and on a platform without a clock.
    pub(super) struct Timer(Option<Instant>);

    impl Timer {
        pub(super) fn start(within: Duration) -> Self {
            let now = HAS_CLOCK.then(Instant::now);
            Self(now.and_then(|now| now.checked_add(within)))
        }

        pub(super) fn poll_elapsed(&mut self, _: &mut Context<'_>) -> bool {
            self.0.is_some_and(|end| Instant::now() >= end)
        }
    }
}
