//! The parts that all pages have: the head, the bar, places, code.

use std::{
    fmt::{self, Write},
    hash::{BuildHasher, RandomState},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    editor::Editor,
    highlight::tokens,
    source::{CodeLocation, Excerpt},
};
use crate::{render::HtmlText, report::Outcome};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A page, and the number that its style and its script are allowed by.
pub(super) struct Document {
    pub(super) html: String,
    nonce: String,
}

impl Document {
    /// Writes a page. `actions` writes the right side of its bar, `body` all below.
    ///
    /// # Errors
    ///
    /// Those of both functions.
    pub(super) fn write(
        title: &str,
        actions: impl FnOnce(&mut String) -> fmt::Result,
        body: impl FnOnce(&mut String) -> fmt::Result,
    ) -> Result<Self, fmt::Error> {
        let nonce = nonce();
        let mut html = String::with_capacity(64 * 1024);
        write!(
            html,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style nonce=\"{nonce}\">\n{STYLE}</style>\n\
             <header class=\"bar\"><span>Development page of tower-exception. \
             Clients elsewhere do not see it.</span>",
            HtmlText::new(title)
        )?;
        actions(&mut html)?;
        html.push_str("</header>\n");
        body(&mut html)?;
        write!(
            html,
            "<script nonce=\"{nonce}\">\n{SCRIPT}</script>\n</html>\n"
        )?;
        Ok(Self { html, nonce })
    }

    /// Returns the Content Security Policy of the page: nothing but its own style and script, and
    /// requests to its own server. The icon is an empty image, so that no other is asked for.
    pub(super) fn policy(&self) -> String {
        let nonce = &self.nonce;
        format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
             img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    }
}

/// Returns a number that nobody can guess. The standard library seeds its hashers by the system.
fn nonce() -> String {
    let random = || RandomState::new().hash_one(SystemTime::now());
    format!("{:016x}{:016x}", random(), random())
}

/// Returns the class of what a client received: none for faults of the server.
pub(super) fn class_of(outcome: Outcome) -> &'static str {
    let is_fault = match outcome {
        Outcome::Status(status) => status.is_server_error(),
        Outcome::Grpc(code) => code.http_status().is_server_error(),
        Outcome::Close(code) => code.as_u16() == 1011,
        Outcome::Aborted => true,
    };
    if is_fault { "" } else { " warn" }
}

/// Writes a place in the code, as a link if an editor can open it.
pub(super) fn write_place(
    out: &mut String,
    location: &CodeLocation,
    editor: &Editor,
) -> fmt::Result {
    let text = location.to_string();
    match editor.link(location) {
        Some(link) => write!(
            out,
            "<a class=\"mono\" href=\"{}\" title=\"Open in the editor\">{}</a>",
            HtmlText::new(&link),
            HtmlText::new(&text)
        ),
        None => write!(out, "<span class=\"mono\">{}</span>", HtmlText::new(&text)),
    }
}

/// Writes the lines around a place, with colors.
pub(super) fn write_code(out: &mut String, excerpt: &Excerpt, line: u32) -> fmt::Result {
    if excerpt.is_changed {
        out.push_str("<p class=\"hint\">The file was changed after the program was built.</p>");
    }
    out.push_str("<pre class=\"code\" tabindex=\"0\">");
    for (number, text) in (excerpt.first..).zip(&excerpt.lines) {
        let on = if number == line { " on" } else { "" };
        write!(out, "<span class=\"l{on}\" data-n=\"{number}\">")?;
        for (token, text) in tokens(text) {
            let text = HtmlText::new(text);
            match token.class() {
                Some(class) => write!(out, "<span class=\"{class}\">{text}</span>")?,
                None => write!(out, "{text}")?,
            }
        }
        out.push_str("</span>");
    }
    out.push_str("</pre>");
    Ok(())
}

/// Writes a time of the day in UTC, which the script changes to the reader's.
pub(super) fn write_time(out: &mut String, time: SystemTime) -> fmt::Result {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (day, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil_from_days(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millis = since.subsec_millis();
    write!(
        out,
        "<time datetime=\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.\
         {millis:03}Z\">{hour:02}:{minute:02}:{second:02}</time>"
    )
}

/// Converts days since 1970 to year, month and day (Howard Hinnant, `civil_from_days`).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_written_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696, "2000-02-29T12:34:56.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
        ] {
            let mut out = String::new();
            write_time(&mut out, UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            assert!(out.contains(&format!("datetime=\"{expected}\"")), "{out}");
        }
    }

    #[test]
    fn no_two_pages_have_the_same_nonce() {
        assert_ne!(nonce(), nonce());
        assert_eq!(nonce().len(), 32);
    }
}
