//! Each form for each kind of failure, over both versions of HTTP.

use std::{fmt, time::Duration};

use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{
    Method, StatusCode,
    header::{ALLOW, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException,
    render::{Html, Json, Negotiated, Problem, Render, Text},
};

use crate::support::{
    PROTOCOLS, Received, SECRET_TEXT, SecretError, Server, problem_document::problem_in, request,
};

async fn known() -> Result<(), Error> {
    tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await?;
    Ok(())
}

async fn panics() {
    panic!("{SECRET_TEXT}")
}

async fn unauthorized() -> Response {
    let headers = [(WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, headers, "Not authenticated").into_response()
}

fn app(renderer: impl Render) -> Router {
    let own = || async {
        Err::<(), _>(
            HttpException::not_found("no <item>").with_header(ALLOW, "GET".parse().unwrap()),
        )
    };
    Router::new()
        .route("/exception", get(own))
        .route("/raised", get(|| async { raised() }))
        .route(
            "/json",
            get(|| async { HttpException::conflict(json!(["a"])) }),
        )
        .route("/adopted", post(|| async {}))
        .route("/unauthorized", get(unauthorized))
        .route("/known", get(known))
        .route(
            "/unknown",
            get(|| async { Err::<(), _>(Error::from(SecretError)) }),
        )
        .route("/panic", get(panics))
        .route(
            "/handled",
            get(|| async { Err::<(), _>(Error::from(fmt::Error)) }),
        )
        .layer(
            ExceptionLayer::new()
                .on(|_: Caught<fmt::Error>| HttpException::bad_gateway("handled"))
                .with_renderer(renderer)
                .adopt_error_responses(),
        )
}

fn raised() {
    HttpException::gone("raised").raise()
}

/// A path, the status of its failure, the reason, the detail as JSON or null, and a header.
type Row = (
    &'static str,
    u16,
    &'static str,
    Value,
    Option<(&'static str, &'static str)>,
);

fn rows() -> Vec<Row> {
    let none = Value::Null;
    let bearer = Some(("www-authenticate", "Bearer"));
    vec![
        (
            "/exception",
            404,
            "Not Found",
            json!("no <item>"),
            Some(("allow", "GET")),
        ),
        ("/raised", 410, "Gone", json!("raised"), None),
        ("/json", 409, "Conflict", json!(["a"]), None),
        (
            "/adopted",
            405,
            "Method Not Allowed",
            none.clone(),
            Some(("allow", "POST")),
        ),
        ("/nowhere", 404, "Not Found", none.clone(), None),
        (
            "/unauthorized",
            401,
            "Unauthorized",
            json!("Not authenticated"),
            bearer,
        ),
        ("/known", 504, "Gateway Timeout", none.clone(), None),
        ("/unknown", 500, "Internal Server Error", none.clone(), None),
        ("/panic", 500, "Internal Server Error", none, None),
        ("/handled", 502, "Bad Gateway", json!("handled"), None),
    ]
}

/// Asks for each row, with each protocol, by `GET` and `HEAD`. `check` checks the body of a `GET`.
async fn each(
    renderer: impl Render,
    content_type: &str,
    accept: Option<&str>,
    check: impl Fn(&Row, &Received),
) {
    let server = Server::start(app(renderer)).await;
    for protocol in PROTOCOLS {
        let mut client = server.connect(protocol).await;
        for row in &rows() {
            let (path, status, _, _, header) = row;
            let mut ask = async |method| {
                let mut request = request(method, path);
                if let Some(accept) = accept {
                    request
                        .headers_mut()
                        .insert("accept", accept.parse().unwrap());
                }
                client.exchange(request).await.unwrap()
            };
            let received = ask(Method::GET).await;
            assert_eq!(received.status, *status, "{path}");
            assert_eq!(
                received.header("content-type"),
                Some(content_type),
                "{path}"
            );
            if let Some((name, value)) = header {
                assert_eq!(received.headers.get_all(*name).iter().count(), 1, "{path}");
                assert!(received.header(name).unwrap().starts_with(value), "{path}");
            }
            check(row, &received);
            let head = ask(Method::HEAD).await;
            assert_eq!((head.status, &head.body[..]), (received.status, &b""[..]));
            let (mut one, mut other) =
                (head.headers_without_date(), received.headers_without_date());
            // The text that a service leaves out of the response to a `HEAD` is unknown, and so is
            // the length.
            if let Some(length) = one.remove("content-length") {
                assert_eq!(length, received.body.len().to_string(), "{path}");
            }
            other.remove("content-length");
            assert_eq!(one, other, "{path}");
        }
    }
}

fn check_json(row: &Row, received: &Received) {
    let (path, _, reason, detail, _) = row;
    let detail = match detail {
        Value::Null => json!(reason),
        detail => detail.clone(),
    };
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body, json!({ "detail": detail }), "{path}");
}

fn check_problem(row: &Row, received: &Received) {
    let (path, status, reason, detail, _) = row;
    let body = problem_in(received);
    let mut expected = json!({ "title": reason, "status": status });
    match detail {
        Value::Null => {}
        Value::Array(_) => expected["errors"] = detail.clone(),
        detail => expected["detail"] = detail.clone(),
    }
    assert_eq!(body, expected, "{path}");
}

fn check_text(row: &Row, received: &Received) {
    let (path, status, reason, detail, _) = row;
    let expected = match detail {
        Value::Null => format!("{status} {reason}\n"),
        Value::String(detail) => format!("{status} {reason}: {detail}\n"),
        detail => format!("{status} {reason}: {detail}\n"),
    };
    assert_eq!(received.text(), expected, "{path}");
}

fn check_page(row: &Row, received: &Received) {
    let (path, status, reason, detail, _) = row;
    let page = received.text();
    let shown = match detail {
        Value::Null => None,
        Value::String(detail) => Some(detail.replace('<', "&lt;").replace('>', "&gt;")),
        detail => Some(detail.to_string().replace('"', "&quot;")),
    };
    assert!(
        page.contains(&format!("<title>{status} {reason}</title>")),
        "{path}"
    );
    assert!(page.contains(&format!("<h1>{reason}</h1>")), "{path}");
    match shown {
        Some(shown) => assert!(
            page.contains(&format!("<p class=\"detail\">{shown}</p>")),
            "{path}"
        ),
        None => assert!(!page.contains("<p class=\"detail\">"), "{path}"),
    }
}

const PROBLEM: &str = "application/problem+json";
const PAGE: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

#[tokio::test]
async fn every_failure_has_the_form_of_the_layer() {
    each(Json, "application/json", None, check_json).await;
    each(Problem::new(), PROBLEM, None, check_problem).await;
    each(Text, TEXT, None, check_text).await;
    each(Html::new(), PAGE, None, check_page).await;
}

#[tokio::test]
async fn every_failure_has_the_form_that_the_client_accepts() {
    let forms = || {
        Negotiated::new(Problem::new())
            .or(Json)
            .or(Html::new())
            .or(Text)
    };
    let varies = |check: fn(&Row, &Received)| {
        move |row: &Row, received: &Received| {
            assert_eq!(received.header("vary"), Some("accept"), "{}", row.0);
            check(row, received);
        }
    };
    each(forms(), PROBLEM, None, varies(check_problem)).await;
    each(forms(), PROBLEM, Some("image/png"), varies(check_problem)).await;
    each(
        forms(),
        "application/json",
        Some("application/json"),
        varies(check_json),
    )
    .await;
    each(
        forms(),
        PAGE,
        Some("text/html,*/*;q=0.8"),
        varies(check_page),
    )
    .await;
    each(forms(), TEXT, Some("text/plain"), varies(check_text)).await;
}
