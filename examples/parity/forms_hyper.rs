//! The third app in plain hyper. A client cannot distinguish it from that in axum.

use std::{collections::BTreeMap, convert::Infallible};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode, Uri,
    header::{CONTENT_TYPE, HeaderValue},
};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_exception::{BodyError, Fault, HttpException};

use super::{
    forms::{Item, NEGOTIATING, Order, count, negotiating, no_such_page, validating},
    hyper::{MAX_BODY_BYTES, not_allowed, plain},
};

type Body = Full<Bytes>;

pub fn app() -> impl Service<
    Request<Incoming>,
    Response = Response<impl HttpBody<Data = Bytes, Error = BodyError> + Send>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let validating = ServiceBuilder::new().layer(validating()).service_fn(route);
    let forms: BTreeMap<_, _> = NEGOTIATING
        .into_iter()
        .filter_map(|name| {
            let service = ServiceBuilder::new().layer(negotiating(name)?);
            Some((format!("/forms/{name}"), service.service_fn(missing)))
        })
        .collect();
    service_fn(move |request: Request<Incoming>| {
        let form = forms.get(request.uri().path()).cloned();
        let validating = validating.clone();
        async move {
            match form {
                Some(form) => form.oneshot(request).await,
                None => validating.oneshot(request).await,
            }
        }
    })
}

async fn missing(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    match *request.method() {
        Method::GET | Method::HEAD => Err(no_such_page().into()),
        _ => Ok(not_allowed("GET,HEAD")),
    }
}

async fn route(request: Request<Incoming>) -> Result<Response<Body>, BoxError> {
    let is_post = request.method() == Method::POST;
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path().to_owned();
    match (&*path, path.strip_prefix("/items/")) {
        ("/items", _) if is_post => json_of(&body_of::<Item>(request).await?),
        ("/orders", _) if is_post => json_of(&body_of::<Order>(request).await?),
        ("/items" | "/orders", _) => Ok(not_allowed("POST")),
        ("/search" | "/agent", _) | (_, Some(_)) if !is_get => Ok(not_allowed("GET,HEAD")),
        (_, Some(item_id)) => read_item(item_id, request.uri()),
        ("/search", _) => search(request.uri()),
        ("/agent", _) => json_of(&json!({ "x-count": count(request.headers())? })),
        _ => Ok(plain(StatusCode::NOT_FOUND)),
    }
}

/// Deserialises the body.
async fn body_of<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, BoxError> {
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES);
    let body = body.collect().await?.to_bytes();
    let mut deserializer = serde_json::Deserializer::from_slice(&body);
    Ok(serde_path_to_error::deserialize(&mut deserializer).map_err(HttpException::from)?)
}

fn read_item(item_id: &str, uri: &Uri) -> Result<Response<Body>, BoxError> {
    let invalid = HttpException::invalid;
    let item_id: i64 = integer(item_id).map_err(|fault| invalid().at_path("item_id", fault))?;
    let query = query_of(uri)?;
    let page = query.get("page").map_or(Ok(1), |page| integer(page));
    let page: i64 = page.map_err(|fault| invalid().at_query("page", fault))?;
    let flag = query.get("flag").map_or(Ok(false), |flag| flag.parse());
    let flag = flag.map_err(|_| invalid().at_query("flag", "Input should be a boolean"))?;
    json_of(&json!({ "item_id": item_id, "query": { "page": page, "flag": flag } }))
}

/// Lists every fault of the query, and not only the first one.
fn search(uri: &Uri) -> Result<Response<Body>, BoxError> {
    let query = query_of(uri)?;
    let mut faults = HttpException::invalid();
    if !query.contains_key("q") {
        faults = faults.at_query("q", Fault::missing().try_with_input(&())?);
    }
    match query.get("limit").map(|limit| integer::<i64>(limit)) {
        Some(Ok(_)) => {}
        Some(Err(fault)) => faults = faults.at_query("limit", fault),
        None => faults = faults.at_query("limit", Fault::missing().try_with_input(&())?),
    }
    match faults.faults() {
        [] => json_of(&query),
        _ => Err(faults.into()),
    }
}

fn query_of(uri: &Uri) -> Result<BTreeMap<String, String>, HttpException> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default())
        .map_err(|error| HttpException::bad_request("the query is malformed").with_source(error))
}

fn integer<T: std::str::FromStr>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| {
        let fault = Fault::new("Input should be an integer").with_type("int_parsing");
        // A text always serialises.
        fault.clone().try_with_input(text).unwrap_or(fault)
    })
}

fn json_of(value: &impl Serialize) -> Result<Response<Body>, BoxError> {
    let mut response = Response::new(Body::from(serde_json::to_vec(value)?));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
