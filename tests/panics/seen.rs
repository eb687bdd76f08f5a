//! Panics as the observer and the handler of a layer see them.

use std::sync::{Arc, Mutex, Once};

use tokio::{sync::mpsc, task::yield_now};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Mechanism, Outcome, Panic, SourceLocation,
    config::{Configured, LayerConfig},
    panics,
};

use crate::support::{
    log::{Log, LoggedEvent},
    panic_hook_runs, within,
};

/// Installs the hooks of this process.
pub fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic_hook_runs();
        // A second call changes nothing.
        panics::record().backtraces(false);
        panics::record();
    });
}

/// One panic, as an observer or a handler sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub message: Option<String>,
    pub location: Option<SourceLocation>,
    pub thread: Option<String>,
    pub payload_type: Option<&'static str>,
    pub has_backtrace: bool,
}

impl Seen {
    fn of(panic: &Panic) -> Self {
        Self {
            message: panic.message().map(Into::into),
            location: panic.location(),
            thread: panic.thread().map(Into::into),
            payload_type: panic.payload_type(),
            has_backtrace: panic.backtrace().is_some(),
        }
    }

    /// Asserts that the place is that of the panic, which says its own.
    #[track_caller]
    pub fn assert_is_in(&self, file: &str, case: &str) {
        let location = self
            .location
            .unwrap_or_else(|| panic!("{case} has no place: {self:?}"));
        assert!(location.file().ends_with(file), "{case}: {location}");
        let said = format!("{} line {}", location.file(), location.line());
        assert_eq!(self.message.as_deref(), Some(&*said), "{case}");
        assert!(location.column() > 1, "{case}: {location}");
    }
}

/// The panics of a layer, in the order of their reports.
pub struct Panics {
    observed: mpsc::UnboundedReceiver<(Seen, Option<SourceLocation>)>,
    handled: Arc<Mutex<Vec<Seen>>>,
    log: Log,
}

/// Adds an observer and a handler of panics to `layer`, and starts the log of this thread.
pub fn watched(layer: ExceptionLayer<impl LayerConfig>) -> (ExceptionLayer<Configured>, Panics) {
    start();
    let (sender, observed) = mpsc::unbounded_channel();
    let handled = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&handled);
    let layer = layer
        .observe(move |caught: &Caught, _: Outcome| {
            if let Some(panic) = caught.outermost().downcast_ref::<Panic>() {
                assert_eq!(caught.mechanism(), Mechanism::Panicked);
                // A test may have dropped the receiver at its end.
                let _ = sender.send((Seen::of(panic), caught.location()));
            }
        })
        .on_panic(move |panic: Caught<Panic>| {
            seen.lock().unwrap().push(Seen::of(panic.error()));
            HttpException::internal_server_error("handled")
        });
    let log = Log::start();
    (
        layer,
        Panics {
            observed,
            handled,
            log,
        },
    )
}

impl Panics {
    /// Waits for the one panic since the last call. The observer and the log have had it once, with
    /// the same place.
    pub async fn next(&mut self) -> Seen {
        let (seen, location) = within(self.observed.recv())
            .await
            .expect("the layer exists");
        assert_eq!(seen.location, location, "`Caught::location` is another one");
        // An observer is called before the event is emitted.
        let is_panic = |event: &LoggedEvent| event.get("tower_exception.kind") == Some("panic");
        let mut logged = vec![];
        while logged.is_empty() {
            yield_now().await;
            logged = self.log.events();
            logged.retain(is_panic);
        }
        assert_eq!(logged.len(), 1, "{logged:#?}");
        let place = location.map(|location| location.to_string());
        assert_eq!(logged[0].get("tower_exception.location"), place.as_deref());
        assert!(self.observed.try_recv().is_err(), "reported twice");
        self.log = Log::start();
        seen
    }

    /// Asserts that no panic was reported since the last call.
    #[track_caller]
    pub fn assert_none(&mut self) {
        assert!(self.observed.try_recv().is_err());
    }

    /// Waits for the one panic since the last call, which the handler has had too.
    pub async fn next_handled(&mut self) -> Seen {
        let seen = self.next().await;
        let handled = std::mem::take(&mut *self.handled.lock().unwrap());
        assert_eq!(handled, std::slice::from_ref(&seen));
        seen
    }
}
