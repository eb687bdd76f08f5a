//! The recorded cases of HTTP and of WebSockets.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{response::ComparedResponse, websocket::HandshakeOutcome};

/// A request, and the recorded response of FastAPI.
#[derive(Deserialize)]
pub struct Case<R, A> {
    pub name: String,
    pub request: R,
    fastapi: A,
    /// The intended response of this crate, if it differs.
    ours: Option<A>,
}

#[derive(Deserialize)]
pub struct Request {
    method: String,
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The text of the file: parsing here must not change a number.
    pub json: Option<Box<RawValue>>,
}

/// A WebSocket, and the texts that the client sends.
#[derive(Deserialize)]
pub struct Conversation {
    pub path: String,
    #[serde(default)]
    pub send: Vec<String>,
}

impl<R, A> Case<R, A> {
    pub fn expected(&self) -> &A {
        self.ours.as_ref().unwrap_or(&self.fastapi)
    }
}

impl Request {
    pub fn method(&self) -> Method {
        self.method.parse().unwrap()
    }
}

/// Returns the HTTP cases of one of the two apps, by its name in the file.
pub fn http_cases_of(app: &str) -> Vec<Case<Request, ComparedResponse>> {
    cases_of("http", app)
}

/// Returns the WebSocket cases of one of the two apps, by its name in the file.
pub fn websocket_cases_of(app: &str) -> Vec<Case<Conversation, HandshakeOutcome>> {
    cases_of("websocket", app)
}

fn cases_of<R: DeserializeOwned, A: DeserializeOwned>(kind: &str, app: &str) -> Vec<Case<R, A>> {
    #[derive(Deserialize)]
    struct Label<'a> {
        kind: &'a str,
        app: &'a str,
    }
    let cases: Vec<&RawValue> = serde_json::from_str(include_str!("cases.json")).unwrap();
    cases
        .into_iter()
        .map(RawValue::get)
        .filter(|case| {
            let label: Label = serde_json::from_str(case).unwrap();
            label.kind == kind && label.app == app
        })
        .map(|case| serde_json::from_str(case).unwrap())
        .collect()
}
