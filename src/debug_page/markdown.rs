//! A failure as Markdown, for an issue, a chat or an assistant.

use std::fmt::Write;

use super::snapshot::{Link, Snapshot};

/// Number of frames that are listed.
const MAX_FRAMES: usize = 40;

/// Writes a failure as Markdown.
pub(super) fn markdown(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    // A `String` cannot fail.
    let _ = write(&mut text, snapshot);
    text
}

fn write(out: &mut String, snapshot: &Snapshot) -> std::fmt::Result {
    let request = &snapshot.request;
    writeln!(
        out,
        "# {}: {} {}\n",
        snapshot.outcome(),
        request.method,
        code(&request.target)
    )?;
    write!(out, "- {}", snapshot.description())?;
    match &snapshot.location {
        Some(location) => writeln!(out, ", at `{location}`")?,
        None => writeln!(out)?,
    }
    if let Some(id) = &snapshot.id {
        writeln!(out, "- id: {}", code(id))?;
    }
    if let Some(route) = &request.route {
        writeln!(out, "- route: {}", code(route))?;
    }
    writeln!(out, "\n## Errors, the outermost first\n")?;
    for (
        number,
        Link {
            type_name,
            text,
            location,
        },
    ) in snapshot.chain.iter().enumerate()
    {
        write!(out, "{}. ", number + 1)?;
        if let Some(name) = type_name {
            write!(out, "{} ", code(name))?;
        }
        match location {
            Some(location) => writeln!(out, "at `{location}`\n")?,
            None => writeln!(out, "\n")?,
        }
        block(out, "text", text)?;
    }
    if let Some(excerpt) = snapshot
        .location
        .as_ref()
        .and_then(|location| location.excerpt())
    {
        writeln!(out, "## Code\n")?;
        block(out, "rust", &excerpt.lines.join("\n"))?;
    }
    if let Some(spans) = &snapshot.spans {
        writeln!(out, "## Spans\n")?;
        block(out, "text", spans)?;
    }
    if !snapshot.frames.is_empty() {
        writeln!(out, "## Backtrace of the application\n")?;
        let frames = snapshot
            .frames
            .iter()
            .filter(|frame| frame.is_open())
            .take(MAX_FRAMES);
        let lines: Vec<_> = frames.map(|frame| frame.frame.to_string()).collect();
        block(out, "text", &lines.join("\n"))?;
    }
    writeln!(out, "## Request\n")?;
    let mut head = format!("{} {} {}", request.method, request.target, request.version);
    for (name, value) in &request.headers {
        write!(head, "\n{name}: {value}")?;
    }
    block(out, "http", &head)
}

/// Writes a block of code, with a fence that is longer than any in the text.
fn block(out: &mut String, language: &str, text: &str) -> std::fmt::Result {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    writeln!(out, "{fence}{language}\n{text}\n{fence}\n")
}

/// Returns a text in one line, as code.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let fence = "`".repeat(longest_run(&text) + 1);
    match fence.len() {
        1 => format!("{fence}{text}{fence}"),
        _ => format!("{fence} {text} {fence}"),
    }
}

/// Returns the length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_own_block() {
        let mut out = String::new();
        block(&mut out, "text", "a\n```\nb````").unwrap();
        assert_eq!(out, "`````text\na\n```\nb````\n`````\n\n");
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
