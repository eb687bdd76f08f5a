//! The recorded cases of HTTP and of WebSockets.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{response::ComparedResponse, websocket::HandshakeOutcome};

const CASES: &str = include_str!("cases.json");

/// A request, and the recorded response of FastAPI.
#[derive(Deserialize)]
pub struct Case<R, A> {
    pub name: String,
    pub request: R,
    fastapi: A,
    /// The intended response of this crate, if it differs.
    ours: Option<A>,
    /// The reason of the difference.
    pub why: Option<String>,
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
    /// Returns whether the intended response differs from that of FastAPI.
    pub fn is_different(&self) -> bool {
        self.ours.is_some()
    }

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
    cases_of(CASES, "http", app)
}

/// Returns the WebSocket cases of one of the two apps, by its name in the file.
pub fn websocket_cases_of(app: &str) -> Vec<Case<Conversation, HandshakeOutcome>> {
    cases_of(CASES, "websocket", app)
}

/// Returns the recorded cases of the apps of FastAPI's tutorial, by the name of the app.
pub fn tutorial_cases_of(app: &str) -> Vec<Case<Request, ComparedResponse>> {
    #[derive(Deserialize)]
    struct Recorded<'a> {
        #[serde(borrow)]
        cases: &'a RawValue,
    }
    let recorded: Recorded = serde_json::from_str(include_str!("tutorial.json")).unwrap();
    cases_of(recorded.cases.get(), "http", app)
}

/// Returns the cases of one kind and app in `cases`.
fn cases_of<R, A>(cases: &str, kind: &str, app: &str) -> Vec<Case<R, A>>
where
    R: DeserializeOwned,
    A: DeserializeOwned,
{
    #[derive(Deserialize)]
    struct Label<'a> {
        kind: &'a str,
        app: &'a str,
    }
    let cases: Vec<&RawValue> = serde_json::from_str(cases).unwrap();
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
