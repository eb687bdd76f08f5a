//! A recorded or a received response, and their comparison.

use std::fmt;

use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;

use crate::client::BoxError;

/// Headers that the server sets, not the app.
const NOT_COMPARED: [&str; 3] = ["connection", "date", "server"];

/// A response, recorded or received.
#[derive(Debug, PartialEq, Deserialize)]
pub struct ComparedResponse {
    pub status: u16,
    /// The values are Latin-1.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl ComparedResponse {
    pub fn new(status: u16, headers: &HeaderMap, body: String) -> Self {
        let mut headers: Vec<_> = headers
            .iter()
            .filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()))
            .map(|(name, value)| {
                let latin_1 = value.as_bytes().iter().copied().map(char::from);
                (name.to_string(), latin_1.collect())
            })
            .collect();
        headers.sort();
        Self {
            status,
            headers,
            body,
        }
    }

    /// Reads a response to its end.
    pub async fn of(response: Response<Incoming>) -> Result<Self, BoxError> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = String::from_utf8(body.into())?;
        Ok(Self::new(head.status.as_u16(), &head.headers, body))
    }

    /// Returns whether this is the expected response to a request with this method.
    pub fn matches(&self, expected: &Self, method: &Method) -> bool {
        // JSON has several spellings, so the expected length is that of the received body. A
        // response to a HEAD has no body, so its length is the recorded one.
        let as_json = expected.is_json() && method != Method::HEAD;
        let mut headers = expected.headers.clone();
        if as_json {
            for (name, value) in &mut headers {
                if name == "content-length" {
                    *value = self.body.len().to_string();
                }
            }
        }
        headers.sort();
        let same_body = if as_json {
            same_json(&self.body, &expected.body)
        } else {
            self.body == expected.body
        };
        self.status == expected.status && self.headers == headers && same_body
    }

    pub fn is_json(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(name, value)| name == "content-type" && value == "application/json")
    }
}

fn same_json(body: &str, expected: &str) -> bool {
    let value = |text| serde_json::from_str::<Value>(text).ok();
    value(body).is_some_and(|body| Some(body) == value(expected))
}

impl fmt::Display for ComparedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            headers,
            body,
        } = self;
        write!(f, "{status} {headers:?} {body:?}")
    }
}
