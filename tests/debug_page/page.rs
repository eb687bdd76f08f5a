//! The page, and the rendering that it replaces.

use std::fmt;

use axum::{
    Router,
    response::{Html as AxumHtml, IntoResponse},
    routing::get,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tower_exception::{
    Caught, Error, ExceptionLayer, HttpException, Ids, Result,
    config::{Configured, LayerConfig},
    prelude::*,
    render::{Html, Negotiated, Problem, Rendered, Text},
};
use tracing_error::{ErrorLayer, InstrumentResult};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    BROWSER, Parsed, browser, page_for_tests,
    support::{SECRET, Server},
    with_headers,
};

/// Error with another one as its source.
#[derive(Debug)]
struct NoPrice(std::num::ParseIntError);

impl fmt::Display for NoPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no price")
    }
}

impl std::error::Error for NoPrice {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

const LINE_OF_ERROR: u32 = line!() + 3;
async fn error() -> Result<String> {
    let price = "x".parse::<u32>().map_err(NoPrice);
    Ok(price?.to_string())
}

async fn wraps() -> Result<()> {
    let error = "x".parse::<u32>().map_err(NoPrice).unwrap_err();
    Err(HttpException::bad_gateway("no prices").with_source(error))?;
    Ok(())
}

async fn panics() {
    panic!("no <b>reason</b>")
}

async fn typed() -> HttpException {
    let header = HeaderValue::from_static("application/vnd.shop+json");
    HttpException::gone(json!([1])).with_header(CONTENT_TYPE, header)
}

fn layer() -> ExceptionLayer<Configured> {
    ExceptionLayer::new()
        .adopt_error_responses()
        .with_debug_page(page_for_tests())
}

async fn serve(layer: ExceptionLayer<impl LayerConfig>) -> Server {
    let inner = Router::new().route("/known", get(async || "known"));
    let app = Router::new()
        .route("/error", get(error))
        .route("/wraps", get(wraps))
        .route("/panic", get(panics))
        .route(
            "/redirect",
            get(async || HttpException::new(StatusCode::SEE_OTHER)),
        )
        .route(
            "/item/{id}",
            get(async || HttpException::not_found("no item")),
        )
        .route("/typed", get(typed))
        .nest("/nested", inner)
        .layer(layer);
    Server::start(app).await
}

#[tokio::test]
async fn the_page_has_the_chain_with_types_and_places() {
    let server = serve(layer()).await;
    let received = server.send(browser("/error?page=2")).await;
    assert_eq!(received.status, 500);
    let page = Parsed::of(&received);
    assert_eq!(
        page.text("title"),
        "500 Internal Server Error · GET /error?page=•••"
    );
    assert_eq!(page.text("h1"), "there is no price");
    assert_eq!(
        page.texts(".chain .text"),
        ["there is no price", "invalid digit found in string"]
    );
    let cause = "Cause: invalid digit found in string core::num::error::ParseIntError";
    assert_eq!(page.text(".cause"), cause);
    assert_eq!(page.text(".type"), "debug_page::page::NoPrice");
    let here = format!("tests/debug_page/page.rs:{LINE_OF_ERROR}");
    assert!(
        page.text(".facts").contains(&here),
        "{}",
        page.text(".facts")
    );
    let links = page.attributes(".facts a", "href");
    let path = env!("CARGO_MANIFEST_DIR");
    assert_eq!(links.len(), 1);
    assert!(
        links[0].starts_with(&format!("edit:{path}/{here}:")),
        "{links:?}"
    );
    assert_eq!(page.text(".code .on").trim(), "Ok(price?.to_string())");
}

#[tokio::test]
async fn the_sources_of_an_exception_are_shown() {
    let server = serve(layer()).await;
    let page = Parsed::of(&server.send(browser("/wraps")).await);
    assert_eq!(page.text("h1"), "no prices");
    let texts = [
        "502: no prices",
        "there is no price",
        "invalid digit found in string",
    ];
    assert_eq!(page.texts(".chain .text"), texts);
    assert_eq!(page.text(".type"), "tower_exception::HttpException");
}

/// Error that says the same as its source, and whose `Debug` does not begin with a name.
struct Nameless(Option<Box<Nameless>>);

impl fmt::Debug for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<nameless>")
    }
}

impl fmt::Display for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl std::error::Error for Nameless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

#[tokio::test]
async fn an_error_that_repeats_the_text_before_it_is_shown_if_it_has_a_name() {
    let report = async || {
        let price = "x".parse::<u32>().map_err(NoPrice);
        Ok::<_, Error>(price.map_err(anyhow::Error::new)?.to_string())
    };
    let nameless = async || {
        let error = Nameless(Some(Box::new(Nameless(None))));
        HttpException::bad_gateway("no prices").with_source(error)
    };
    let named = async || {
        let inner = HttpException::bad_gateway("no prices");
        HttpException::bad_gateway("no prices").with_source(inner)
    };
    let app = Router::new()
        .route("/report", get(report))
        .route("/nameless", get(nameless))
        .route("/named", get(named));
    let server = Server::start(app.layer(layer())).await;
    let cases = [
        (
            "/report",
            ["there is no price", "invalid digit found in string"],
        ),
        ("/nameless", ["502: no prices", "no answer"]),
        ("/named", ["502: no prices", "502: no prices"]),
    ];
    for (path, texts) in cases {
        let page = Parsed::of(&server.send(browser(path)).await);
        assert_eq!(page.texts(".chain .text"), texts, "{path}");
    }
}

#[tokio::test]
async fn a_program_receives_the_same_as_a_member() {
    let server = serve(layer()).await;
    let received = server.get("/wraps").await;
    assert_eq!(received.status, 502);
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("cache-control"), Some("no-store"));
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["detail"], "no prices");
    let debug = &body["debug"];
    assert_eq!(debug["mechanism"], "returned as a response");
    let chain = debug["chain"].as_array().unwrap();
    assert_eq!(chain.len(), 3);
    assert_eq!(chain[0]["type"], "tower_exception::HttpException");
    assert_eq!(chain[1]["text"], "there is no price");
    assert_eq!(chain[2]["type"], "core::num::error::ParseIntError");
    let location = debug["location"].as_str().unwrap();
    assert!(
        location.starts_with("tests/debug_page/page.rs:"),
        "{location}"
    );
}

#[tokio::test]
async fn a_problem_document_keeps_its_form() {
    for layer in [
        layer().with_renderer(Problem::new()),
        // The order does not matter.
        ExceptionLayer::new()
            .with_renderer(Problem::new())
            .with_debug_page(page_for_tests()),
    ] {
        let received = serve(layer).await.get("/item/2").await;
        assert_eq!(
            received.header("content-type"),
            Some("application/problem+json")
        );
        let mut body: Value = serde_json::from_slice(&received.body).unwrap();
        let debug = body.as_object_mut().unwrap().remove("debug").unwrap();
        assert_eq!(debug["request"]["route"], "/item/{id}");
        let expected = json!({ "title": "Not Found", "status": 404, "detail": "no item" });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn the_page_replaces_the_page_for_clients_and_shows_it() {
    let forms = Negotiated::new(Problem::new()).or(Html::new()).or(Text);
    let server = serve(layer().with_renderer(forms)).await;
    let page = Parsed::of(&server.send(browser("/item/2")).await);
    assert!(
        page.text("pre.body")
            .contains("<p class=\"detail\">no item</p>")
    );
    let text = server
        .send(with_headers("/item/2", &[("accept", "text/plain")]))
        .await;
    assert_eq!(text.text(), "404 Not Found: no item\n");
    let exact = [("accept", "text/html;q=0.1, application/problem+json")];
    let problem = server.send(with_headers("/item/2", &exact)).await;
    assert_eq!(
        problem.header("content-type"),
        Some("application/problem+json")
    );
}

#[tokio::test]
async fn a_404_of_a_nested_router_has_its_whole_path() {
    let server = serve(layer()).await;
    let page = Parsed::of(&server.send(browser("/nested/unknown?q=1")).await);
    assert_eq!(page.text(".target"), "GET /nested/unknown?q=•••");
    assert!(
        page.text(".facts")
            .contains("adopted from a plain error response")
    );
    assert!(
        page.texts(".hint")
            .concat()
            .contains("No route is known to have matched.")
    );
}

#[tokio::test]
async fn secrets_of_a_request_are_blanked() {
    let page = page_for_tests().blank_header(HeaderName::from_static("x-customer"));
    let server = serve(ExceptionLayer::new().with_debug_page(page)).await;
    let secrets = [
        ("authorization", format!("Bearer {SECRET}")),
        ("cookie", format!("session={SECRET}; theme=dark")),
        ("x-api-key", SECRET.to_owned()),
        ("x-customer", SECRET.to_owned()),
        ("referer", format!("http://localhost/?token={SECRET}")),
        ("x-visible", "visible".to_owned()),
    ];
    let mut headers: Vec<_> = secrets
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let path = format!("/error?token={SECRET}&{SECRET}");
    // The harness fails if a response has the secret anywhere.
    let json = server.send(with_headers(&path, &headers)).await;
    assert!(json.text().contains(r#"["x-visible","visible"]"#));
    headers.push(("accept", BROWSER));
    let page = Parsed::of(&server.send(with_headers(&path, &headers)).await);
    assert_eq!(page.text(".target"), "GET /error?token=•••&•••");
    let shown = page.texts(".head dd");
    for expected in [
        "•••",
        "session=•••; theme=•••",
        "http://localhost/?token=•••",
        "visible",
    ] {
        assert!(
            shown.iter().any(|value| value == expected),
            "{expected}: {shown:?}"
        );
    }
}

#[tokio::test]
async fn the_page_has_a_policy_of_its_own_and_is_not_stored() {
    let server = serve(layer()).await;
    let received = server.send(browser("/error")).await;
    let policy = received.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    for part in [
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = Parsed::of(&received);
    for element in ["style", "script"] {
        let nonces = page.attributes(element, "nonce");
        assert_eq!(nonces.len(), 1);
        assert!(
            policy.contains(&format!("{element}-src 'nonce-{}'", nonces[0])),
            "{policy}"
        );
    }
    assert_eq!(received.header("cache-control"), Some("no-store"));
    assert_eq!(received.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(received.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(received.header("vary"), Some("accept"));
    // Nothing is loaded, and the markup has no fault.
    assert_eq!(page.attributes("[src]", "src"), [""; 0]);
    assert_eq!(page.attributes("link", "href"), ["data:,"]);
    assert!(page.0.errors.is_empty(), "{:?}", page.0.errors);
    let again = server.send(browser("/error")).await;
    assert_ne!(again.header("content-security-policy"), Some(policy));
}

#[tokio::test]
async fn the_response_to_a_head_has_the_headers_of_the_page() {
    let server = serve(layer()).await;
    let mut head = browser("/error");
    *head.method_mut() = Method::HEAD;
    let head = server.send(head).await;
    let page = server.send(browser("/error")).await;
    assert_eq!(head.status, page.status);
    assert_eq!(head.header("content-type"), page.header("content-type"));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_reply_of_a_handler_a_type_of_an_exception_and_a_redirection_stay() {
    let handled = layer().on(|_: Caught<NoPrice>| AxumHtml("handled").into_response());
    let server = serve(handled).await;
    assert_eq!(server.send(browser("/error")).await.text(), "handled");
    let typed = server.send(browser("/typed")).await;
    assert_eq!(
        typed.header("content-type"),
        Some("application/vnd.shop+json")
    );
    assert_eq!(typed.text(), r#"{"detail":[1]}"#);
    let redirect = server.send(browser("/redirect")).await;
    assert_eq!((redirect.status.as_u16(), redirect.text()), (303, ""));
}

#[tokio::test]
async fn an_exception_with_which_a_handler_replies_has_the_page() {
    let handled = layer().on(|_: Caught<NoPrice>| HttpException::bad_gateway("no prices today"));
    let received = serve(handled).await.send(browser("/error")).await;
    assert_eq!(received.status, 502);
    let page = Parsed::of(&received);
    // It is about the failure, and has the response of the handler.
    assert_eq!(page.text("h1"), "there is no price");
    assert!(page.text("pre.body").contains("no prices today"));
}

#[tokio::test]
async fn an_error_that_cannot_be_shown_has_its_usual_response() {
    #[derive(Debug)]
    struct Unshowable;
    impl fmt::Display for Unshowable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    impl std::error::Error for Unshowable {}
    let app = Router::new().route("/", get(async || Unshowable.raise_async::<()>().await));
    let server = Server::start(app.layer(layer())).await;
    let received = server.send(browser("/")).await;
    assert_eq!(received.status, 500);
    assert_eq!(Parsed::of(&received).text("h1"), "");
}

#[tokio::test]
async fn json_stays_as_it_is_without_members() {
    let page = page_for_tests().without_members();
    let server = serve(ExceptionLayer::new().with_debug_page(page)).await;
    assert_eq!(
        server.get("/item/2").await.text(),
        r#"{"detail":"no item"}"#
    );
    assert_eq!(
        Parsed::of(&server.send(browser("/item/2")).await).text("h1"),
        "no item"
    );
}

#[tokio::test]
async fn the_spans_of_an_error_are_shown() {
    async fn fails() -> Result<String> {
        let _span = tracing::info_span!("load_price", item = 7).entered();
        let price = "x".parse::<u32>().map_err(NoPrice);
        Ok(price.in_current_span()?.to_string())
    }
    let subscriber = tracing_subscriber::registry().with(ErrorLayer::default());
    let _guard = subscriber.set_default();
    let server = Server::start(Router::new().route("/", get(fails)).layer(layer())).await;
    let received = server.send(browser("/")).await;
    let page = Parsed::of(&received);
    let spans = page.text(".spans");
    assert!(
        spans.contains("load_price") && spans.contains("item=7"),
        "{spans}"
    );
    assert!(page.text("textarea").contains("## Spans"));
    // The error comes once.
    let texts = ["there is no price", "invalid digit found in string"];
    assert_eq!(page.texts(".chain .text"), texts);
}

#[tokio::test]
async fn the_page_has_the_id_of_the_failure() {
    let server = serve(layer().identify(Ids::request_id())).await;
    let headers = [("x-request-id", "abc-1"), ("accept", BROWSER)];
    let page = Parsed::of(&server.send(with_headers("/error", &headers)).await);
    assert!(
        page.text(".facts").contains("id abc-1"),
        "{}",
        page.text(".facts")
    );
    assert!(page.text("pre.body").contains(r#""error_id":"abc-1""#));
    let json = server.send(with_headers("/error", &headers[..1])).await;
    let json: Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(
        (&json["error_id"], &json["debug"]["id"]),
        (&json!("abc-1"), &json!("abc-1"))
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_stays_as_it_is() {
    let own = |exception: &HttpException, _: &Caught| {
        let plain = HeaderValue::from_static("text/plain");
        Rendered::new(plain, exception.to_string())
    };
    let server = serve(layer().with_renderer(own)).await;
    let received = server.get("/item/2").await;
    assert_eq!(received.text(), "404: no item");
    assert_eq!(received.header("content-type"), Some("text/plain"));
    assert_eq!(server.get("/nested/known").await.text(), "known");
}
