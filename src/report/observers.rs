//! The user's observers.

use std::sync::Arc;

use super::Outcome;
use crate::{caught::Caught, unwind::ignore_panic};

/// The observers of a layer, in the order in which they are called.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<Observer>>);

type Observer = dyn Fn(&Caught, Outcome) + Send + Sync;

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Fn(&Caught, Outcome) + Send + Sync + 'static) {
        self.0.push(Arc::new(observer));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls every observer, even if one panics.
    pub(crate) fn call(&self, caught: &Caught, outcome: Outcome) {
        for observer in &self.0 {
            ignore_panic(|| observer(caught, outcome));
        }
    }
}
