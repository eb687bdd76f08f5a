#![doc = include_str!("docs/panics.md")]

use std::{
    env,
    panic::{self, PanicHookInfo},
    sync::{
        Once,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    thread,
};

pub use crate::backtrace::{Frame, FrameOrigin, frames};
#[cfg(feature = "websocket")]
use crate::raise::unwinding::on_panic;
use crate::{
    panic_record::{has_silent, push},
    raise::slot::{is_inside_a_layer, mark},
    unwind::{PanicFate, panic_fate},
};

static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Whether backtraces are recorded: [`UNSET`], [`OFF`] or [`ON`].
static BACKTRACES: AtomicU8 = AtomicU8::new(UNSET);
/// The environment has not been read yet.
const UNSET: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

/// Records the place of each panic from now on, for handlers, observers and the log.
///
/// It installs a panic hook, which calls the hook that was installed before. Call it once in
/// `main`, after other hooks have been installed. A second call installs no second hook. From a
/// thread that unwinds no hook can be installed; such a call has no effect.
///
/// The [guide](self) says which panics are recognized.
///
/// ```
/// use tower_exception::panics;
///
/// panics::record();
/// ```
pub fn record() -> Recording {
    static INSTALLED: Once = Once::new();
    if !thread::panicking() {
        INSTALLED.call_once(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !record_panic(info) {
                    previous(info);
                }
            }));
        });
    }
    Recording(())
}

/// Settings of the recording of panics, which [`record()`] returns. They are those of the process.
#[derive(Clone, Copy, Debug)]
pub struct Recording(());

impl Recording {
    /// Prints nothing for a panic that a layer reports. The previous panic hook is not called for
    /// it.
    ///
    /// A layer reports by its observers, and by events with the feature `tracing`. Without both
    /// nobody hears of the panic.
    ///
    /// Every other panic is printed. So are those of which the hook cannot know whether a layer
    /// reports them: see [the guide](self#quiet).
    ///
    /// ```
    /// tower_exception::panics::record().quiet();
    /// ```
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the settings are not in the value"
    )]
    pub fn quiet(self) -> Self {
        IS_QUIET.store(true, Relaxed);
        self
    }

    /// Sets whether a backtrace of each panic is recorded. Defaults to what `RUST_BACKTRACE` says:
    /// `true` if it is set and not `0`.
    ///
    /// A backtrace takes some microseconds for each frame. Names and lines are looked up when it is
    /// displayed.
    ///
    /// ```
    /// tower_exception::panics::record().backtraces(true);
    /// ```
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the settings are not in the value"
    )]
    pub fn backtraces(self, are_recorded: bool) -> Self {
        BACKTRACES.store(if are_recorded { ON } else { OFF }, Relaxed);
        self
    }
}

/// Records a panic. Returns whether a layer reports it, so that nothing has to be printed.
fn record_panic(info: &PanicHookInfo<'_>) -> bool {
    // Nothing unwinds to a layer.
    if cfg!(panic = "abort") || !can_unwind(info) {
        return false;
    }
    let is_silent = IS_QUIET.load(Relaxed) && is_reported();
    push(info, has_backtraces(), is_silent);
    #[cfg(feature = "websocket")]
    on_panic();
    mark();
    is_silent
}

/// Returns whether a layer reports a panic of this thread, as far as can be known.
fn is_reported() -> bool {
    // A panic during an unwinding may end the process.
    if has_silent() {
        return false;
    }
    match panic_fate() {
        PanicFate::Reported => true,
        PanicFate::Ignored => false,
        PanicFate::Unknown => is_inside_a_layer(),
    }
}

/// Returns whether a panic unwinds. The standard library's own panics that end the process do not.
fn can_unwind(info: &PanicHookInfo<'_>) -> bool {
    !matches!(
        info.payload().downcast_ref::<&str>(),
        Some(&"panic in a function that cannot unwind" | &"panic in a destructor during cleanup")
    )
}

fn has_backtraces() -> bool {
    match BACKTRACES.load(Relaxed) {
        UNSET => {
            let is_set = env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
            let setting = if is_set { ON } else { OFF };
            let first = BACKTRACES.compare_exchange(UNSET, setting, Relaxed, Relaxed);
            first.map_or_else(|set_meanwhile| set_meanwhile == ON, |_| is_set)
        }
        setting => setting == ON,
    }
}
