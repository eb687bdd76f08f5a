//! A failure as JSON, for programs.

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{request_view::RequestView, snapshot::Snapshot, source::CodeLocation};
use crate::render::Rendered;

/// Returns a failure as a JSON object.
pub(super) fn members(snapshot: &Snapshot) -> Value {
    let location = |location: Option<_>| location.map(|it: &CodeLocation| it.to_string());
    let chain: Vec<_> = snapshot
        .chain
        .iter()
        .map(|link| {
            json!({
                "type": link.type_name,
                "text": link.text,
                "location": location(link.location.as_ref()),
            })
        })
        .collect();
    // The others are on the page.
    let frames = snapshot.frames.iter().filter(|shown| shown.is_open());
    let backtrace: Vec<_> = frames
        .map(|shown| {
            json!({
                "function": shown.frame.function(),
                "location": location(shown.location.as_ref()),
            })
        })
        .collect();
    json!({
        "kind": snapshot.kind,
        "mechanism": snapshot.mechanism,
        "phase": snapshot.phase,
        "outcome": snapshot.outcome(),
        "location": location(snapshot.location.as_ref()),
        "thread": snapshot.thread,
        "id": snapshot.id,
        "spans": snapshot.spans,
        "chain": chain,
        "backtrace": backtrace,
        "request": request(&snapshot.request),
    })
}

fn request(request: &RequestView) -> Value {
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| json!([name, value]))
        .collect();
    json!({
        "method": request.method,
        "target": request.target,
        "version": request.version,
        "route": request.route,
        "headers": headers,
    })
}

/// Name of the member that has the failure.
const MEMBER: &str = "debug";

/// Adds the member `debug` to a body that is a JSON object. Returns `None` if it is none, or if it
/// has such a member.
pub(super) fn with_members(rendered: &Rendered, snapshot: &Snapshot) -> Option<Rendered> {
    let content_type = rendered.content_type().to_str().ok()?;
    let media_type = content_type.split(';').next()?.trim();
    if !(media_type.ends_with("/json") || media_type.ends_with("+json")) {
        return None;
    }
    let own: HashMap<String, IgnoredAny> = serde_json::from_slice(rendered.body()).ok()?;
    if own.contains_key(MEMBER) {
        return None;
    }
    let object = rendered.body().trim_ascii_end().strip_suffix(b"}")?;
    let mut json = object.to_vec();
    json.extend_from_slice(if own.is_empty() {
        b"\"debug\":"
    } else {
        b",\"debug\":"
    });
    // Neither a `Value` nor a `Vec` can fail.
    serde_json::to_writer(&mut json, &members(snapshot)).ok()?;
    json.push(b'}');
    let mut with_members = Rendered::new(rendered.content_type().clone(), json);
    for (name, value) in rendered.headers().into_iter().flatten() {
        with_members = with_members.with_header(name.clone(), value.clone());
    }
    Some(with_members)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;
    use crate::{
        caught::{Caught, RequestHead},
        exception::HttpException,
        report::Outcome,
    };

    fn with_debug(content_type: &'static str, body: &'static str) -> Option<Value> {
        let (parts, ()) = Request::new(()).into_parts();
        let head = RequestHead::from(&parts);
        let caught = Caught::new(HttpException::not_found("no"), head).into_any();
        let outcome = Outcome::Status(http::StatusCode::NOT_FOUND);
        let snapshot = Snapshot::of(&caught, outcome, &[]);
        let rendered = Rendered::new(HeaderValue::from_static(content_type), body)
            .with_header(http::header::VARY, HeaderValue::from_static("accept"));
        let rendered = with_members(&rendered, &snapshot)?;
        assert_eq!(rendered.headers().unwrap()["vary"], "accept");
        Some(serde_json::from_slice(rendered.body()).unwrap())
    }

    #[test]
    fn an_object_has_a_member_more() {
        for (content_type, body) in [
            ("application/json", "{}"),
            ("application/json; charset=utf-8", "{ }\n"),
            ("application/problem+json", "{\"a\":{\"b\":1}}"),
        ] {
            let mut value = with_debug(content_type, body).unwrap();
            let debug = value.as_object_mut().unwrap().remove("debug").unwrap();
            assert_eq!(debug["chain"][0]["text"], "404: no");
            assert_eq!(value, serde_json::from_str::<Value>(body).unwrap());
        }
    }

    #[test]
    fn no_other_body_is_changed() {
        assert_eq!(with_debug("application/json", "[{}]"), None);
        assert_eq!(with_debug("application/json", "\"}\""), None);
        assert_eq!(with_debug("application/json", "[1}"), None);
        assert_eq!(with_debug("application/json", "{\"debug\":1}"), None);
        assert_eq!(with_debug("text/plain", "{}"), None);
    }
}
