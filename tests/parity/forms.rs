//! The third app: FastAPI's lists of faults (`validation.json`), and the form that a client accepts
//! (`accept.json`).

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::net::TcpListener;

use crate::{
    client::{Client, Protocol},
    response::ComparedResponse,
    stack::Stack,
};

const STACKS: [Stack; 2] = [Stack::Axum, Stack::Hyper];
const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

#[derive(Deserialize)]
struct Validation {
    name: String,
    request: Request,
    fastapi: Expected,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<Box<RawValue>>,
    /// A body that is no JSON.
    body: Option<String>,
}

#[derive(Deserialize)]
struct Expected {
    status: u16,
    body: Faults,
}

#[derive(Deserialize)]
struct Faults {
    detail: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(rename = "type")]
    fault_type: String,
    loc: Value,
    msg: String,
    /// There, and possibly null.
    #[serde(deserialize_with = "Value::deserialize")]
    #[allow(dead_code)]
    input: Value,
}

impl Fault {
    /// Returns whether a fault is the one that FastAPI has. Its message and most of its types are
    /// pydantic's own.
    fn matches(&self, expected: &Self) -> bool {
        let is_compared = matches!(&*expected.fault_type, "missing" | "json_invalid");
        self.loc == expected.loc
            && (!is_compared || self.fault_type == expected.fault_type)
            && !self.fault_type.is_empty()
            && !self.msg.is_empty()
    }
}

#[derive(Deserialize)]
struct Negotiation {
    accept: Option<String>,
    offers: Vec<String>,
    /// The expected form, `any` or none.
    form: Option<String>,
}

impl Negotiation {
    /// Returns the path of the route that offers these forms.
    fn path(&self) -> &'static str {
        match (&*self.offers[0], self.offers.len()) {
            ("application/problem+json", 4) => "/forms/api",
            ("application/json", 3) => "/forms/json",
            ("text/html", 3) => "/forms/site",
            _ => panic!("{:?}", self.offers),
        }
    }
}

async fn serve(stack: Stack) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(stack.serve_forms(listener));
    address
}

/// The first fault suffices if the framework stops there, as serde does.
#[tokio::test]
async fn a_request_that_does_not_validate_has_fastapis_list_of_faults() {
    let cases: Vec<Validation> = serde_json::from_str(include_str!("validation.json")).unwrap();
    assert_eq!(cases.len(), 15);
    for stack in STACKS {
        let address = serve(stack).await;
        for protocol in PROTOCOLS {
            let mut client = Client::connect(protocol, address).await.unwrap();
            for case in &cases {
                let Request {
                    method,
                    path,
                    headers,
                    json,
                    body,
                } = &case.request;
                let mut headers = headers.clone();
                headers.remove("content-type");
                let json = json.as_deref().map(RawValue::get).or(body.as_deref());
                let got = client
                    .send(method.parse().unwrap(), path, &headers, json)
                    .await;
                let got = got.unwrap();
                let shown = format!("{}, {stack:?} over {protocol:?}: {got}", case.name);
                assert_eq!(got.status, case.fastapi.status, "{shown}");
                let got: Faults = serde_json::from_str(&got.body).unwrap();
                let expected = &case.fastapi.body.detail;
                assert!((1..=expected.len()).contains(&got.detail.len()), "{shown}");
                for (got, expected) in got.detail.iter().zip(expected) {
                    assert!(got.matches(expected), "{shown}\nexpected {expected:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_valid_request_is_served() {
    let none = BTreeMap::new();
    let size = r#"{"name":"a","price":1.5,"tags":["b"],"size":{"width":1,"height":2}}"#;
    let order = r#"{"customer":"c","items":[{"name":"a","price":1.0,"tags":[],"size":null}]}"#;
    let count = BTreeMap::from([("x-count".to_owned(), "3".to_owned())]);
    for stack in STACKS {
        let address = serve(stack).await;
        let mut client = Client::connect(Protocol::Http1, address).await.unwrap();
        for (method, path, headers, json) in [
            (Method::POST, "/items", &none, Some(size)),
            (Method::POST, "/orders", &none, Some(order)),
            (Method::GET, "/items/1?page=2&flag=true", &none, None),
            (Method::GET, "/items/1", &none, None),
            (Method::GET, "/search?q=a&limit=3", &none, None),
            (Method::GET, "/agent", &count, None),
        ] {
            let got = client.send(method, path, headers, json).await.unwrap();
            assert_eq!(got.status, 200, "{path}, {stack:?}: {got}");
            if let Some(json) = json {
                let parse = |text| serde_json::from_str::<Value>(text).unwrap();
                assert_eq!(parse(&got.body), parse(json));
            }
        }
    }
}

/// Returns the content type of a response without its parameters.
fn essence(response: &ComparedResponse) -> &str {
    let mut headers = response.headers.iter();
    let content_type = headers.find(|(name, _)| name == "content-type");
    content_type.unwrap().1.split(';').next().unwrap()
}

#[tokio::test]
async fn an_error_has_the_form_that_the_client_accepts() {
    let cases: Vec<Negotiation> = serde_json::from_str(include_str!("accept.json")).unwrap();
    assert_eq!(cases.len(), 105);
    for stack in STACKS {
        let address = serve(stack).await;
        for protocol in PROTOCOLS {
            let mut client = Client::connect(protocol, address).await.unwrap();
            for case in &cases {
                let accept = case.accept.iter();
                let headers = accept
                    .map(|accept| ("accept".to_owned(), accept.clone()))
                    .collect();
                let got = client
                    .send(Method::GET, case.path(), &headers, None)
                    .await
                    .unwrap();
                let shown = format!("{:?}, {stack:?} over {protocol:?}: {got}", case.accept);
                assert_eq!(got.status, 404, "{shown}");
                let vary = ("vary".to_owned(), "accept".to_owned());
                assert!(got.headers.contains(&vary), "{shown}");
                let form = case.form.as_deref().unwrap_or(&case.offers[0]);
                match form {
                    "any" => assert!(case.offers.iter().any(|it| it == essence(&got)), "{shown}"),
                    form => assert_eq!(essence(&got), form, "{shown}"),
                }
                assert!(got.body.contains("no such page"), "{shown}");
            }
        }
    }
}

/// Each part of the exception is in the problem document, in order.
#[tokio::test]
async fn the_problem_document_is_the_same_in_both_stacks() {
    const EXPECTED: &str = r#"{"type":"https://example.com/problems/no-such-page","title":"Not Found","status":404,"detail":"no such page","code":"no-such-page","section":"catalog","pages":[1,2]}"#;
    for stack in STACKS {
        let address = serve(stack).await;
        let mut client = Client::connect(Protocol::Http2, address).await.unwrap();
        let got = client
            .send(Method::GET, "/forms/api", &BTreeMap::new(), None)
            .await
            .unwrap();
        assert_eq!(got.body, EXPECTED, "{stack:?}");
    }
}

/// Faults of a query are left out: axum's extractor does not know the input.
#[tokio::test]
async fn a_client_cannot_distinguish_the_stacks() {
    let (axum, hyper) = (serve(Stack::Axum).await, serve(Stack::Hyper).await);
    for protocol in PROTOCOLS {
        let mut axum = Client::connect(protocol, axum).await.unwrap();
        let mut hyper = Client::connect(protocol, hyper).await.unwrap();
        for path in [
            "/forms/api",
            "/forms/json",
            "/forms/site",
            "/forms/none",
            "/items",
            "/items/plumbus",
            "/agent",
        ] {
            for method in [Method::GET, Method::HEAD, Method::PUT] {
                for accept in ["application/json", "text/html", "text/plain", "*/*"] {
                    let accept = BTreeMap::from([("accept".to_owned(), accept.to_owned())]);
                    let from_axum = axum.send(method.clone(), path, &accept, None);
                    let from_axum = from_axum.await.unwrap();
                    let from_hyper = hyper.send(method.clone(), path, &accept, None);
                    let shown = format!("{method} {path} over {protocol:?}, {accept:?}");
                    assert_eq!(from_hyper.await.unwrap(), from_axum, "{shown}");
                }
            }
        }
    }
}
