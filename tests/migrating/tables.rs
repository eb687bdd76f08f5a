//! Results of requests, in the words of the tables.

use bytes::Bytes;
use http::{
    Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, TRANSFER_ENCODING},
};
use http_body_util::Full;

use crate::support::{Protocol, Received, Server, log::Log};

/// Headers that are not in the tables, or that stand in front there.
const OMITTED: [http::HeaderName; 4] = [CONTENT_LENGTH, CONTENT_TYPE, DATE, TRANSFER_ENCODING];

/// Sends a request such as `POST /orders {"item":1}`, and returns the response in one line.
pub(crate) async fn answer(server: &Server, request: &str) -> String {
    let mut parts = request.splitn(3, ' ');
    let request = Request::builder()
        .method(parts.next().unwrap())
        .uri(parts.next().unwrap())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(Bytes::from(
            parts.next().unwrap_or_default().to_owned(),
        )))
        .unwrap();
    let mut client = server.connect(Protocol::Http1).await;
    let Ok(response) = client.send(request).await else {
        return "connection closed".to_owned();
    };
    let (received, _) = Received::read(response).await;
    let mut parts = vec![received.status.as_str().to_owned()];
    parts.extend(received.header("content-type").map(str::to_owned));
    for name in received
        .headers
        .keys()
        .filter(|name| !OMITTED.contains(name))
    {
        parts.push(format!(
            "{name}: {}",
            received.header(name.as_str()).unwrap()
        ));
    }
    parts.push(received.text().to_owned());
    if received.aborted {
        parts.push("(cut off)".to_owned());
    }
    parts.join(" ").trim_end().to_owned()
}

/// Returns the events of the log in one line.
pub(crate) fn events(log: &Log) -> String {
    let events = log.events();
    let lines = events.iter().map(|event| {
        let texts = ["message", "exception.message", "error"].map(|field| event.get(field));
        let texts: Vec<_> = texts.into_iter().flatten().collect();
        format!("{} {}", event.level, texts.join(": "))
    });
    match events.is_empty() {
        true => "nothing".to_owned(),
        false => lines.collect::<Vec<_>>().join("; "),
    }
}
