//! Resources of the process: tasks, open files and bytes.

use std::{
    alloc::System,
    fmt, fs, thread,
    time::{Duration, Instant},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Handle;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes by which the end may exceed the start.
///
/// The tables of tokio, hyper and the registry of WebSockets grow with the highest number of
/// connections, streams and timers at one instant, and they do not shrink. The first visits have
/// made them grow, and later ones add a few KiB at most. It does not depend on the number of
/// requests: with the 2,500 requests of the shortest run, 16 bytes lost by each are more.
const SLACK_BYTES: usize = 32 << 10;

/// Time limit for the server to become idle: that of a closing handshake, twice.
const TIME_LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Live tasks of the server, and of the clients.
    pub tasks: [usize; 2],
    pub files: usize,
    pub bytes: usize,
}

impl Resources {
    /// Measures the resources of a server and its clients.
    pub fn now(runtimes: [&Handle; 2]) -> Self {
        let stats = ALLOCATOR.stats();
        Self {
            tasks: runtimes.map(|runtime| runtime.metrics().num_alive_tasks()),
            // A symbolic link to `/proc/self/fd` on Linux.
            files: fs::read_dir("/dev/fd").map_or(0, Iterator::count),
            bytes: stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated),
        }
    }

    /// Waits until the resources are back to `start`, and measures them.
    pub fn back_to(start: &Self, runtimes: [&Handle; 2]) -> Self {
        let limit = Instant::now() + TIME_LIMIT;
        loop {
            // Other threads may still be at work on the last messages.
            thread::sleep(Duration::from_millis(200));
            let now = Self::now(runtimes);
            if now.is_back_to(start) || Instant::now() > limit {
                return now;
            }
        }
    }

    pub fn is_back_to(&self, start: &Self) -> bool {
        self.tasks == start.tasks
            && self.files == start.files
            && self.bytes <= start.bytes.saturating_add(SLACK_BYTES)
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tasks: [server, clients],
            files,
            bytes,
        } = self;
        write!(
            f,
            "{server} + {clients} tasks, {files} files, {bytes} bytes"
        )
    }
}
