//! A panic hook that counts its runs.

use std::{cell::Cell, panic, sync::Once};

use super::SECRET_TEXT;

thread_local! {
    static PANIC_HOOK_RUNS: Cell<usize> = const { Cell::new(0) };
}

/// Returns the number of panic hook runs on this thread since the first call.
///
/// The first call installs the hook. The hook prints no intended panic: one with [`SECRET_TEXT`],
/// or one without a text.
pub fn panic_hook_runs() -> usize {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANIC_HOOK_RUNS.set(PANIC_HOOK_RUNS.get() + 1);
            let payload = info.payload();
            let literal = payload.downcast_ref::<&str>().copied();
            let text = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            if text.is_some_and(|text| text != SECRET_TEXT) {
                print(info);
            }
        }));
    });
    PANIC_HOOK_RUNS.get()
}
