//! Wakers of the application's tasks that wait for a connection.

use std::task::{Context, Waker};

use crate::unwind::ignore_panic;

/// Direction of a poll of the application.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// Wakers of the tasks that read and write, which are woken when the connection is taken away from
/// them.
#[derive(Default)]
pub(crate) struct Wakers {
    read: Option<Waker>,
    write: Option<Waker>,
}

impl Wakers {
    /// Registers the task of `cx` for the direction.
    pub(crate) fn register(&mut self, direction: Direction, cx: &Context<'_>) {
        let waker = match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        };
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    /// Wakes all tasks. A waker is user code: a panic in it must not keep the other task, or other
    /// connections, from being woken or closed.
    pub(crate) fn wake(self) {
        for waker in [self.read, self.write].into_iter().flatten() {
            ignore_panic(|| waker.wake());
        }
    }
}
