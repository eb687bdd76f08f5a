//! The events that the crate emits with `tracing`, on all threads, in the ledger.

use crate::{
    ledger::LEDGER,
    support::log::{LoggedEvent, pass_events_to},
};

/// Records the events from now on.
pub fn start() {
    pass_events_to(record);
}

fn record(event: LoggedEvent) {
    match event.get("exception.message") {
        Some(error) => LEDGER.event(error, event.get("url.path")),
        None => LEDGER.fault(format!("an event without an error: {event:?}")),
    }
}
