//! Panics that belong to an input. Any other panic ends the process, even if it is caught.

use std::{
    panic::{self, PanicHookInfo},
    sync::Once,
};

/// Message of [`expected`].
pub const EXPECTED: &str = "the panic of the input";

/// Panics as the application of the input.
///
/// # Panics
///
/// Always.
pub fn expected() -> ! {
    panic::panic_any(EXPECTED)
}

/// Lets the panics of [`expected`] pass the hook of the fuzzer, which ends the process.
pub fn allow_expected() {
    static ALLOWED: Once = Once::new();
    ALLOWED.call_once(|| {
        let fuzzers = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if info.payload().downcast_ref() != Some(&EXPECTED) {
                fuzzers(info);
            }
        }));
    });
}
