//! Capture of the events that the crate emits with `tracing`.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Once};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

thread_local! {
    /// The events of this thread's test. Its runtime has no other thread, the server included.
    static EVENTS: RefCell<Vec<LoggedEvent>> = const { RefCell::new(Vec::new()) };
}

/// Passes each event, of any thread, to `sink` from now on. Only the first call has an effect.
///
/// All threads share one subscriber. With one subscriber a thread, `tracing` may infer from a
/// thread without a subscriber that no subscriber is interested in an event.
pub fn pass_events_to(sink: fn(LoggedEvent)) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Sink(sink)).unwrap());
}

/// Captures each thread's events for the test on that thread.
pub struct Log;

/// One event, with its fields as text.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    pub level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Log {
    /// Starts the capture with an empty log.
    pub fn start() -> Self {
        pass_events_to(|event| EVENTS.with_borrow_mut(|events| events.push(event)));
        EVENTS.take();
        Self
    }

    /// Returns all events so far.
    pub fn events(&self) -> Vec<LoggedEvent> {
        EVENTS.with_borrow(Vec::clone)
    }

    /// Returns the only event.
    pub fn only_event(&self) -> LoggedEvent {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:#?}");
        events[0].clone()
    }
}

impl LoggedEvent {
    /// Returns the value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| &**value)
    }
}

struct Sink(fn(LoggedEvent));

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        // The test target of the migration guides has events of its own.
        target.starts_with("tower_exception") || target.starts_with("migrating")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0(LoggedEvent {
            level: *event.metadata().level(),
            fields: fields.0,
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
