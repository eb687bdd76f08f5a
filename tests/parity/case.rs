//! The recorded cases, of which those of WebSockets have another form.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::answer::Answer;

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub request: Request,
    fastapi: Answer,
    /// What is answered here instead, on purpose.
    ours: Option<Answer>,
}

#[derive(Deserialize)]
pub struct Request {
    method: String,
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// As it stands in the file: what becomes of a number must not depend on its way through here.
    pub json: Option<Box<RawValue>>,
}

impl Case {
    pub fn expected(&self) -> &Answer {
        self.ours.as_ref().unwrap_or(&self.fastapi)
    }
}

impl Request {
    pub fn method(&self) -> Method {
        self.method.parse().unwrap()
    }
}

/// The cases of one of the two apps, by its name in the file.
pub fn http_cases_of(app: &str) -> Vec<Case> {
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
            label.kind == "http" && label.app == app
        })
        .map(|case| serde_json::from_str(case).unwrap())
        .collect()
}
