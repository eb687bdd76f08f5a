//! The sections of a page that have the request and the response.

use std::fmt::{self, Write};

use http::StatusCode;

use super::{
    request_view::RequestView,
    snapshot::{ResponseView, Snapshot},
};
use crate::{render::HtmlText, report::Outcome};

/// Explains a failure that no code of the application has made.
pub(super) fn write_adopted(out: &mut String, request: &RequestView) -> fmt::Result {
    let RequestView {
        method,
        received,
        route,
        ..
    } = request;
    out.push_str(
        "<section>\n<h2>Origin</h2>\n<div class=\"card hint\"><p>A service has responded with a \
         plain error response, which carries no exception and no line of code. Routers do so if \
         no route matches, and extractors if they reject a request.</p>\n<ul>",
    );
    match route {
        Some(route) => write!(
            out,
            "<li>The route <code>{}</code> matched.",
            HtmlText::new(route)
        )?,
        None => out.push_str("<li>No route is known to have matched."),
    }
    write!(
        out,
        "<li>The layer received <code>{} {}</code>.</ul></div>\n</section>\n",
        HtmlText::new(method),
        HtmlText::new(received)
    )
}

/// Writes the head of a request.
pub(super) fn write_request(out: &mut String, request: &RequestView) -> fmt::Result {
    let RequestView {
        method,
        target,
        version,
        route,
        peer,
        headers,
        ..
    } = request;
    write!(
        out,
        "<section>\n<h2>Request <small>secrets are blanked</small></h2>\n\
         <div class=\"card head mono\"><p class=\"line\">{} {} {}</p>\n<dl>\n",
        HtmlText::new(method),
        HtmlText::new(target),
        HtmlText::new(version)
    )?;
    if let Some(route) = route {
        write_row(out, "(route)", route)?;
    }
    if let Some(peer) = peer {
        write_row(out, "(peer)", &peer.to_string())?;
    }
    for (name, value) in headers {
        write_row(out, name, value)?;
    }
    out.push_str("</dl></div>\n</section>\n");
    Ok(())
}

fn write_row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    let name = HtmlText::new(name);
    writeln!(
        out,
        "<dt title=\"{name}\">{name}</dt><dd>{}</dd>",
        HtmlText::new(value)
    )
}

/// Writes the response without the page.
pub(super) fn write_response(
    out: &mut String,
    response: &ResponseView,
    snapshot: &Snapshot,
) -> fmt::Result {
    let status = match snapshot.outcome {
        Outcome::Status(status) => status,
        _ => StatusCode::OK,
    };
    write!(
        out,
        "<section>\n<h2>Response <small>without this page</small></h2>\n\
         <div class=\"card\"><p class=\"head mono\">{} · {}</p>\
         <pre class=\"body\" tabindex=\"0\">{}</pre></div>\n</section>\n",
        status.as_u16(),
        HtmlText::new(&response.content_type),
        HtmlText::new(&response.body)
    )
}
