//! The third app: models of requests that may be invalid, and an error in the form that a client
//! accepts.

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tower_exception::{
    ExceptionLayer, Fault, HttpException,
    config::Configured,
    render::{Html, Json, Negotiated, Problem, Text},
};

#[derive(Deserialize, Serialize)]
pub struct Item {
    name: String,
    price: f64,
    #[serde(default)]
    tags: Vec<String>,
    size: Option<Size>,
}

#[derive(Deserialize, Serialize)]
struct Size {
    width: i64,
    height: i64,
}

#[derive(Deserialize, Serialize)]
pub struct Order {
    customer: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
pub struct ItemPath {
    pub item_id: i64,
}

#[derive(Deserialize, Serialize)]
#[serde(default)]
pub struct ItemQuery {
    page: i64,
    flag: bool,
}

impl Default for ItemQuery {
    fn default() -> Self {
        Self {
            page: 1,
            flag: false,
        }
    }
}

#[derive(Deserialize, Serialize)]
pub struct Search {
    q: String,
    limit: i64,
}

/// Returns the number in the header `x-count`.
pub fn count(headers: &HeaderMap) -> Result<i64, HttpException> {
    let name = "x-count";
    let Some(value) = headers.get(name) else {
        let missing = Fault::missing().try_with_input(&());
        return Err(HttpException::invalid().at_header(name, missing.map_err(internal)?));
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| HttpException::invalid().at_header(name, "Input should be an integer"))
}

fn internal(error: serde_json::Error) -> HttpException {
    HttpException::internal_server_error("it broke").with_source(error)
}

/// Returns the error that the routes under `/forms` show.
pub fn no_such_page() -> HttpException {
    HttpException::not_found("no such page")
        .with_type("https://example.com/problems/no-such-page")
        .with_code("no-such-page")
        .try_with_member("section", "catalog")
        .and_then(|exception| exception.try_with_member("pages", &[1, 2]))
        .unwrap_or_else(|error| HttpException::internal_server_error("it broke").with_source(error))
}

/// Returns the layer of the routes with requests that may be invalid.
pub fn validating() -> ExceptionLayer<Configured> {
    ExceptionLayer::new().adopt_error_responses()
}

/// Returns the layer of `/forms/{name}`.
pub fn negotiating(name: &str) -> Option<ExceptionLayer<Configured>> {
    let forms = match name {
        "api" => Negotiated::new(Problem::new())
            .or(Json)
            .or(Html::new())
            .or(Text),
        "json" => Negotiated::new(Json).or(Html::new()).or(Text),
        "site" => Negotiated::new(Html::new()).or(Problem::new()).or(Text),
        _ => return None,
    };
    Some(
        ExceptionLayer::new()
            .adopt_error_responses()
            .with_renderer(forms),
    )
}

/// Names of the routes under `/forms`.
pub const NEGOTIATING: [&str; 3] = ["api", "json", "site"];
