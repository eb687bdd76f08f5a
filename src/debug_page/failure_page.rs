//! The page of one failure.

use std::fmt::{self, Write};

use super::{
    backtrace_section::write_backtrace,
    editor::Editor,
    markdown::markdown,
    markup::{Document, class_of, write_code, write_place},
    request_section::{write_adopted, write_request, write_response},
    snapshot::{Link, Snapshot},
};
use crate::render::HtmlText;

/// Length from which on the text of a failure is no headline, in bytes.
const MAX_HEADLINE_BYTES: usize = 280;

/// Writes the page of a failure. `history` is the path of the last failures.
///
/// # Errors
///
/// None: the page is a `String`.
pub(super) fn failure_page(
    snapshot: &Snapshot,
    editor: &Editor,
    history: Option<&str>,
) -> Result<Document, fmt::Error> {
    let request = &snapshot.request;
    let title = format!(
        "{} · {} {}",
        snapshot.outcome(),
        request.method,
        request.target
    );
    let actions = |out: &mut String| {
        if let Some(path) = history {
            write!(out, "<a href=\"{}\">Last failures</a>", HtmlText::new(path))?;
        }
        out.push_str("<button id=\"copy\" hidden>Copy as Markdown</button>");
        Ok(())
    };
    Document::write(&title, actions, |out| {
        write_hero(out, snapshot, editor)?;
        out.push_str("<main>\n<div>\n");
        if snapshot.frames.is_empty() {
            write_place_of_failure(out, snapshot, editor)?;
        }
        write_chain(out, &snapshot.chain, editor)?;
        if snapshot.is_adopted {
            write_adopted(out, request)?;
        }
        if let Some(spans) = &snapshot.spans {
            write!(
                out,
                "<section>\n<h2>Spans <small>the innermost first</small></h2>\n\
                 <pre class=\"spans body card\" tabindex=\"0\">{}</pre>\n</section>\n",
                HtmlText::new(spans)
            )?;
        }
        write_backtrace(out, snapshot, editor)?;
        out.push_str("</div>\n<div>\n");
        if let Some(response) = &snapshot.response {
            write_response(out, response, snapshot)?;
        }
        write_request(out, request)?;
        write!(
            out,
            "<section><details class=\"card\"><summary>This failure as Markdown</summary>\
             <textarea id=\"markdown\" readonly aria-label=\"Markdown\">\n{}</textarea>\
             </details></section>\n",
            HtmlText::new(&markdown(snapshot))
        )?;
        out.push_str("</div>\n</main>\n");
        Ok(())
    })
}

/// Writes the text of the failure, its type and its place.
fn write_hero(out: &mut String, snapshot: &Snapshot, editor: &Editor) -> fmt::Result {
    let request = &snapshot.request;
    let (outcome, class) = (snapshot.outcome(), class_of(snapshot.outcome));
    write!(
        out,
        "<div class=\"hero{class}\">\n<p class=\"tags\"><span class=\"badge{class}\">{}</span>\
         <span class=\"mono target\">{} {}</span></p>\n",
        HtmlText::new(&outcome),
        HtmlText::new(&request.method),
        HtmlText::new(&request.target)
    )?;
    if let Some(name) = snapshot.type_name() {
        writeln!(out, "<p class=\"type mono\">{}</p>", HtmlText::new(name))?;
    }
    let text = snapshot.text();
    let class = if text.len() > MAX_HEADLINE_BYTES {
        " class=\"long\" tabindex=\"0\""
    } else {
        ""
    };
    writeln!(out, "<h1{class}>{}</h1>", HtmlText::new(text))?;
    if let Some(cause) = snapshot.cause() {
        write!(
            out,
            "<p class=\"cause\">Cause: <b>{}</b>",
            HtmlText::new(&cause.text)
        )?;
        if let Some(name) = &cause.type_name {
            write!(out, " <span class=\"mono\">{}</span>", HtmlText::new(name))?;
        }
        out.push_str("</p>\n");
    }
    write!(out, "<p class=\"facts\">{}", snapshot.description())?;
    if let Some(thread) = &snapshot.thread {
        write!(out, ", thread <code>{}</code>", HtmlText::new(thread))?;
    }
    if let Some(id) = &snapshot.id {
        write!(out, ", id <code>{}</code>", HtmlText::new(id))?;
    }
    if let Some(location) = &snapshot.location {
        out.push_str(", at ");
        write_place(out, location, editor)?;
    }
    out.push_str("</p>\n</div>\n");
    Ok(())
}

/// Writes the code at which the failure arose.
fn write_place_of_failure(out: &mut String, snapshot: &Snapshot, editor: &Editor) -> fmt::Result {
    let Some(location) = &snapshot.location else {
        return Ok(());
    };
    let Some(excerpt) = location.excerpt() else {
        return Ok(());
    };
    out.push_str("<section>\n<h2>Code <small>");
    write_place(out, location, editor)?;
    out.push_str("</small></h2>\n<div class=\"card\">");
    write_code(out, &excerpt, location.line)?;
    out.push_str("</div>\n</section>\n");
    Ok(())
}

fn write_chain(out: &mut String, chain: &[Link], editor: &Editor) -> fmt::Result {
    if chain.len() < 2 {
        return Ok(());
    }
    write!(
        out,
        "<section>\n<h2>Errors <small>{}, the outermost first, the cause last</small></h2>\n\
         <ol class=\"chain card\">\n",
        chain.len()
    )?;
    for Link {
        type_name,
        text,
        location,
    } in chain
    {
        write!(
            out,
            "<li><p class=\"text\">{}</p><p class=\"at\">",
            HtmlText::new(text)
        )?;
        if let Some(name) = type_name {
            write!(out, "<span class=\"mono\">{}</span> ", HtmlText::new(name))?;
        }
        if let Some(location) = location {
            out.push_str("<span>");
            write_place(out, location, editor)?;
            out.push_str("</span>");
        }
        out.push_str("</p></li>\n");
    }
    out.push_str("</ol>\n</section>\n");
    Ok(())
}
