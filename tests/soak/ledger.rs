//! The ledger: for each request, the reports that observers and the log received.

use std::{
    collections::HashMap,
    error::Error,
    fmt, iter, mem,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use tower_exception::{Caught, Mechanism, Outcome, Phase};

use crate::{
    case::Case,
    expected::{expected, is_right},
    mark::ids,
    support::Protocol,
};

/// The ledger of the current round.
pub static LEDGER: LazyLock<Ledger> = LazyLock::new(Ledger::default);

/// Number of faults that are shown.
const MAX_SHOWN_FAULTS: usize = 20;

#[derive(Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    requests: HashMap<u64, Entry>,
    clients_left: usize,
    connections: usize,
    most_connections: usize,
    faults: Faults,
}

/// Faults: the first ones in words, and their number.
#[derive(Default)]
pub struct Faults {
    pub shown: Vec<String>,
    pub count: usize,
}

struct Entry {
    case: Case,
    state: State,
    /// Reports to the observer of the inner and of the outer layer.
    observed: [usize; 2],
    /// Events in the log.
    events: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sent,
    Finished,
    /// The client has left.
    Abandoned,
}

/// Figures of a round.
#[derive(Default)]
pub struct Round {
    /// Highest number of connections at one instant.
    pub most_connections: usize,
    pub requests: usize,
    /// Clients that left in the middle, with any number of requests.
    pub clients_left: usize,
    /// Requests that failed and whose client has stayed.
    pub failures: usize,
    /// Events for them.
    pub events: usize,
    /// Reports of them to observers.
    pub observed: usize,
    /// Requests whose client has left.
    pub abandoned: usize,
    /// Events for them.
    pub abandoned_events: usize,
    pub faults: Faults,
}

/// A layer: alone or the inner one of two, or the outer one.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Inner,
    Outer,
}

/// A connection that is open, until dropped.
pub struct Connected(&'static Ledger);

/// A request that was sent. The client has left if it is dropped before it is finished.
pub struct Exchange(Case);

impl Ledger {
    /// Records a request that is about to be sent.
    pub fn begin(&'static self, case: Case) -> Exchange {
        let entry = Entry {
            case,
            state: State::Sent,
            observed: [0, 0],
            events: 0,
        };
        self.entries().requests.insert(case.id, entry);
        Exchange(case)
    }

    pub fn fault(&self, fault: String) {
        self.entries().faults.add(fault);
    }

    /// Records a connection, which is open until the returned value is dropped.
    pub fn connected(&'static self) -> Connected {
        let mut entries = self.entries();
        entries.connections += 1;
        entries.most_connections = entries.most_connections.max(entries.connections);
        Connected(self)
    }

    /// Records a client that leaves in the middle.
    pub fn client_left(&self) {
        self.entries().clients_left += 1;
    }

    /// Records an event, by the marks in its error and its path.
    pub fn event(&self, error: &str, path: Option<&str>) {
        match owner(iter::once(error).chain(path)) {
            Some(id) => self.count(id, |entry| entry.events += 1),
            None => self.fault(format!("an event of {path:?} has the error {error}")),
        }
    }

    fn observe(&self, side: Side, caught: &Caught, outcome: Outcome) {
        let text = text(caught.outermost());
        let path = caught.request().uri().path();
        // A drop in an unwinding tells only that it is one.
        let is_unknown =
            caught.mechanism() == Mechanism::Panicked && caught.phase() == Phase::WebSocket;
        let is_marked = ids(&text).next().is_some() || is_unknown;
        match owner([&text, path]).filter(|_| is_marked) {
            Some(id) => self.count(id, |entry| entry.observed[side as usize] += 1),
            None => self.fault(format!("{side:?} observes {outcome:?} of {path}: {text}")),
        }
    }

    fn count(&self, id: u64, add: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries();
        match entries.requests.get_mut(&id) {
            Some(entry) => add(entry),
            None => entries
                .faults
                .add(format!("a report of the unknown request {id}")),
        }
    }

    /// Ends the round: returns its figures and all faults, and forgets its requests.
    pub fn end_round(&self) -> Round {
        let Entries {
            requests,
            clients_left,
            connections: _,
            most_connections,
            faults,
        } = mem::take(&mut *self.entries());
        let mut round = Round {
            most_connections,
            clients_left,
            faults,
            ..Round::default()
        };
        for entry in requests.values() {
            round.add(entry);
        }
        round
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// Records the end of the request, and checks what the client received.
    pub fn finish(self, protocol: Protocol, line: &str) {
        let case = self.0;
        let is_own = ids(line).all(|id| id == case.id);
        if !is_own || !is_right(case, protocol, line) {
            let expected = expected(case, protocol);
            LEDGER.fault(format!(
                "{} over {protocol:?}:\n       got {line}\n  expected {expected}",
                case.path()
            ));
        }
        LEDGER.count(case.id, |entry| entry.state = State::Finished);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.entries().connections -= 1;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        LEDGER.count(self.0.id, |entry| {
            if entry.state == State::Sent {
                entry.state = State::Abandoned;
            }
        });
    }
}

impl Round {
    fn add(&mut self, entry: &Entry) {
        let observed: usize = entry.observed.iter().sum();
        self.requests += 1;
        if entry.state == State::Abandoned {
            self.abandoned += 1;
            self.abandoned_events += entry.events;
        } else if entry.case.fails() {
            self.failures += 1;
            self.events += entry.events;
            self.observed += observed;
        }
        if !entry.is_reported_rightly() {
            self.faults.add(format!(
                "{} {:?}: {} events, {:?} reports to observers",
                entry.case.path(),
                entry.state,
                entry.events,
                entry.observed
            ));
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections at once; {} requests; {} failures with {} events and {} reports to observers; \
             {} clients left and abandoned {} requests with {} events; {} faults",
            self.most_connections,
            self.requests,
            self.failures,
            self.events,
            self.observed,
            self.clients_left,
            self.abandoned,
            self.abandoned_events,
            self.faults.count
        )
    }
}

impl Entry {
    /// Returns whether a failure is reported once, and at most once if the client has left.
    fn is_reported_rightly(&self) -> bool {
        let case = self.case;
        let limit = usize::from(case.fails());
        let observed: usize = self.observed.iter().sum();
        let layers = case.reporting_layers();
        let is_once = self.observed.iter().all(|count| *count <= 1);
        match self.state {
            State::Sent => false,
            State::Finished => is_once && self.events == limit && layers.contains(&observed),
            State::Abandoned => is_once && self.events <= limit && observed <= *layers.end(),
        }
    }
}

impl Faults {
    fn add(&mut self, fault: String) {
        self.count += 1;
        if self.shown.len() < MAX_SHOWN_FAULTS {
            self.shown.push(fault);
        }
    }
}

/// Returns the observer of a layer.
pub fn observer(side: Side) -> impl Fn(&Caught, Outcome) + Send + Sync + 'static {
    move |caught, outcome| LEDGER.observe(side, caught, outcome)
}

/// Returns the request that all marks in these texts belong to, if there is one and no other.
fn owner<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<u64> {
    let mut ids = texts.into_iter().flat_map(ids);
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

/// Returns the text of an error and of its sources.
fn text(error: &(dyn Error + 'static)) -> String {
    let errors = iter::successors(Some(error), |&error| error.source());
    errors.map(|error| format!("{error}\n")).collect()
}
