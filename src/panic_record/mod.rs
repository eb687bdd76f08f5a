//! Records of panics: their place, thread and backtrace, from the panic hook to what catches them.

mod key;
mod location;
mod registry;

use std::{
    backtrace::Backtrace,
    io::{self, Write},
    panic::Location,
    sync::Arc,
};

pub use self::location::SourceLocation;

#[cfg(feature = "websocket")]
pub(crate) use self::registry::of_unwinding;
#[cfg(feature = "tokio")]
pub(crate) use self::registry::take_of_task;
pub(crate) use self::registry::{end_unwinding, has_silent, push, take};

/// Record of one panic.
#[derive(Debug)]
pub(crate) struct PanicRecord {
    pub(crate) location: SourceLocation,
    pub(crate) thread: Option<Box<str>>,
    pub(crate) backtrace: Option<Backtrace>,
    pub(crate) text: Option<Text>,
}

impl PanicRecord {
    /// Prints the panic as the standard library does.
    fn print(&self) {
        let thread = self.thread.as_deref().unwrap_or("<unnamed>");
        let text = self.text.as_ref().map_or("Box<dyn Any>", Text::as_str);
        let mut stderr = io::stderr().lock();
        // The process may have closed its standard error.
        let _ = writeln!(
            stderr,
            "\nthread '{thread}' panicked at {}:\n{text}",
            self.location
        );
        if let Some(backtrace) = &self.backtrace {
            let _ = writeln!(stderr, "stack backtrace:\n{backtrace}");
        }
    }
}

/// Text of a panic, and the type of the payload that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Literal(&'static str),
    Formatted(Arc<str>),
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Formatted(text) => text,
        }
    }
}

/// A record, which clones share.
pub(crate) type SharedRecord = Arc<PanicRecord>;

/// Place of an error that is no exception.
#[derive(Clone, Debug)]
pub(crate) enum ErrorLocation {
    /// It was converted or raised here.
    At(&'static Location<'static>),
    /// It is the payload of a panic.
    Panicked(SharedRecord),
}

impl ErrorLocation {
    pub(crate) fn get(&self) -> SourceLocation {
        match self {
            Self::At(location) => (*location).into(),
            Self::Panicked(record) => record.location,
        }
    }
}
