//! The section of a page that has the backtrace.

use std::fmt::{self, Write};

use super::{
    editor::Editor,
    markup::{write_code, write_place},
    snapshot::{ShownFrame, Snapshot},
};
use crate::{backtrace::FrameOrigin, render::HtmlText};

/// Number of the application's frames that are open.
const MAX_OPEN_FRAMES: usize = 6;

/// Number of crates that are named for frames in a row.
const MAX_NAMED_CRATES: usize = 5;

/// Writes the backtrace, or a hint if a panic has none.
pub(super) fn write_backtrace(
    out: &mut String,
    snapshot: &Snapshot,
    editor: &Editor,
) -> fmt::Result {
    let Snapshot {
        frames, location, ..
    } = snapshot;
    if frames.is_empty() {
        let hint = match (snapshot.is_panic, location) {
            (true, None) => {
                "The place of the panic is unknown. Call \
                 <code>tower_exception::panics::record().backtraces(true)</code> in \
                 <code>main</code>."
            }
            (true, Some(_)) => {
                "No backtrace was recorded. Call <code>panics::record().backtraces(true)</code>, \
                 or set <code>RUST_BACKTRACE=1</code>."
            }
            (false, _) => return Ok(()),
        };
        writeln!(
            out,
            "<section>\n<h2>Backtrace</h2>\n<p class=\"hint card\">{hint}</p>"
        )?;
        out.push_str("</section>\n");
        return Ok(());
    }
    write!(
        out,
        "<section>\n<h2>Backtrace <small>{} frames, the innermost call first</small>\
         <button id=\"unfold\" hidden>Unfold all</button></h2>\n<div class=\"frames card\">\n",
        frames.len()
    )?;
    let mut open = 0;
    for group in frames.chunk_by(|one, next| one.is_open() == next.is_open()) {
        if group[0].is_open() {
            for frame in group {
                open += 1;
                write_frame(out, frame, editor, open <= MAX_OPEN_FRAMES)?;
            }
        } else {
            write_folded(out, group, editor)?;
        }
    }
    out.push_str("</div>\n</section>\n");
    Ok(())
}

/// Returns the path of a function without the closures that it ends in: the bodies of async
/// functions are closures.
fn without_closures(mut function: &str) -> &str {
    while let Some(rest) = function.strip_suffix("::{{closure}}") {
        function = rest;
    }
    function
}

/// Writes a frame of the application, with its code.
fn write_frame(
    out: &mut String,
    shown: &ShownFrame,
    editor: &Editor,
    is_open: bool,
) -> fmt::Result {
    let open = if is_open { " open" } else { "" };
    let function = HtmlText::new(without_closures(shown.frame.function()));
    write!(
        out,
        "<details class=\"app\"{open}><summary><code>{function}</code>"
    )?;
    if let Some(location) = &shown.location {
        out.push_str("<span class=\"place\">");
        write_place(out, location, editor)?;
        out.push_str("</span></summary>");
        match location.excerpt() {
            Some(excerpt) => write_code(out, &excerpt, location.line)?,
            None => out.push_str("<p class=\"hint\">The file is not on this machine.</p>"),
        }
    } else {
        out.push_str("</summary><p class=\"hint\">The program has no debug information.</p>");
    }
    out.push_str("</details>\n");
    Ok(())
}

/// Writes frames in a row that are not of the application, or outside of the layer.
fn write_folded(out: &mut String, group: &[ShownFrame], editor: &Editor) -> fmt::Result {
    let mut names: Vec<&str> = Vec::new();
    for frame in group {
        let name = match (frame.frame.origin(), frame.frame.crate_name()) {
            (FrameOrigin::Runtime, None | Some("core" | "alloc" | "__rustc")) => "std",
            (_, Some(name)) => name,
            (_, None) => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = if names.len() > MAX_NAMED_CRATES {
        ", …"
    } else {
        ""
    };
    names.truncate(MAX_NAMED_CRATES);
    let names = names.join(", ");
    let count = group.len();
    let frames = if count == 1 { "frame" } else { "frames" };
    write!(
        out,
        "<details class=\"fold\"><summary>{count} {frames} of {}{more}</summary><ol>",
        HtmlText::new(&names)
    )?;
    for shown in group {
        write!(
            out,
            "<li><code>{}</code>",
            HtmlText::new(shown.frame.function())
        )?;
        if let Some(location) = &shown.location {
            out.push_str("<span class=\"place\">");
            write_place(out, location, editor)?;
            out.push_str("</span>");
        }
        out.push_str("</li>");
    }
    out.push_str("</ol></details>\n");
    Ok(())
}
