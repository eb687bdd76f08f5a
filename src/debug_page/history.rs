//! The last failures, of any protocol.

use std::{
    collections::VecDeque,
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use serde_json::{Value, json};

use super::{
    markup::{Document, class_of, write_time},
    members::members,
    snapshot::Snapshot,
};
use crate::{render::HtmlText, report::Outcome};

/// Number of failures that are stored.
const MAX_FAILURES: usize = 100;

/// Longest part of a text in the list, in characters.
const MAX_SUMMARY_CHARS: usize = 200;

/// The last failures.
#[derive(Default)]
pub(super) struct History {
    failures: Mutex<VecDeque<Arc<Entry>>>,
    /// The path at which the list is served.
    pub(super) path: OnceLock<String>,
}

/// A failure with its number, which counts from 1.
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) snapshot: Snapshot,
}

impl History {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Entry>>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a failure. The oldest one leaves.
    pub(super) fn add(&self, snapshot: Snapshot) {
        let mut failures = self.lock();
        let number = failures.back().map_or(0, |entry| entry.number) + 1;
        let is_full = failures.len() == MAX_FAILURES;
        let oldest = if is_full { failures.pop_front() } else { None };
        failures.push_back(Arc::new(Entry { number, snapshot }));
        drop(failures);
        drop(oldest);
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<Entry>> {
        self.lock()
            .iter()
            .find(|entry| entry.number == number)
            .cloned()
    }

    /// Returns the failures, the last one first.
    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().iter().rev().cloned().collect()
    }
}

/// Returns the failures as JSON.
pub(super) fn list_json(failures: &[Arc<Entry>]) -> Value {
    let entry = |entry: &Arc<Entry>| {
        let mut value = members(&entry.snapshot);
        value["number"] = json!(entry.number);
        value
    };
    json!({ "failures": failures.iter().map(entry).collect::<Vec<_>>() })
}

/// Writes the page of the list.
///
/// # Errors
///
/// None: the page is a `String`.
pub(super) fn list_page(failures: &[Arc<Entry>], path: &str) -> Result<Document, fmt::Error> {
    let title = format!("{} failures", failures.len());
    let path = path.trim_end_matches('/');
    Document::write(
        &title,
        |_| Ok(()),
        |out| {
            let last = failures.first().map_or(0, |entry| entry.number);
            writeln!(
                out,
                "<main class=\"wide\"><section id=\"failures\" data-last=\"{last}\">"
            )?;
            out.push_str(
                "<h2>Last failures <small>of every protocol, the last one first; the list updates itself</small></h2>",
            );
            if failures.is_empty() {
                out.push_str("<p class=\"hint card\">Nothing has failed yet.</p>");
            } else {
                out.push_str("<ol class=\"list card\" reversed>\n");
                failures
                    .iter()
                    .try_for_each(|entry| write_entry(out, entry, path))?;
                out.push_str("</ol>\n");
            }
            out.push_str("</section></main>\n");
            Ok(())
        },
    )
}

fn write_entry(out: &mut String, entry: &Entry, path: &str) -> fmt::Result {
    let Entry { number, snapshot } = entry;
    let link = format!("{path}/{number}");
    write!(
        out,
        "<li><a class=\"row\" href=\"{}\">",
        HtmlText::new(&link)
    )?;
    write_time(out, snapshot.at)?;
    let class = class_of(snapshot.outcome);
    let outcome = snapshot.outcome();
    write!(
        out,
        "<span class=\"badge{class}\">{}</span>",
        HtmlText::new(&outcome)
    )?;
    let summary = |text: &str| text.chars().take(MAX_SUMMARY_CHARS).collect::<String>();
    let cause = snapshot
        .cause()
        .map_or_else(String::new, |cause| format!(" ← {}", summary(&cause.text)));
    let text = summary(snapshot.text()) + &cause;
    let request = &snapshot.request;
    write!(
        out,
        "<span class=\"what\"><span class=\"summary\">{}</span><span class=\"where mono\">{} {} {}",
        HtmlText::new(&text),
        protocol(snapshot),
        HtmlText::new(&request.method),
        HtmlText::new(&request.target)
    )?;
    if let Some(location) = &snapshot.location {
        write!(out, " · {}", HtmlText::new(&location.to_string()))?;
    }
    out.push_str("</span></span></a></li>\n");
    Ok(())
}

fn protocol(snapshot: &Snapshot) -> &'static str {
    match snapshot.outcome {
        Outcome::Grpc(_) => "gRPC",
        Outcome::Close(_) => "WebSocket",
        Outcome::Aborted if snapshot.phase.contains("WebSocket") => "WebSocket",
        Outcome::Status(_) | Outcome::Aborted => "HTTP",
    }
}
