//! FastAPI's form, which has only the detail, and the header `retry-after`.

use axum::{Router, routing::get};
use http::Method;
use tower_exception::{
    Caught, ExceptionLayer, HttpException,
    render::{Json, Rendered},
};

use crate::{
    supplemented,
    support::{Differences, EXITS, PROTOCOLS, Protocol, Server, serve_failing},
};

const HEAD: &str = "409 | content-length: 34 | content-type: application/json | retry-after: 2";
const BODY: &str = r#"{"detail":"plumbus 7 is sold out"}"#;

#[tokio::test]
async fn a_client_receives_the_detail_and_the_time_to_wait_only() {
    let mut differences = Differences::default();
    for exit in EXITS {
        let configured = ExceptionLayer::new().with_renderer(Json);
        for server in [
            serve_failing(ExceptionLayer::new(), exit, supplemented).await,
            serve_failing(configured, exit, supplemented).await,
        ] {
            for protocol in PROTOCOLS {
                let mut client = server.connect(protocol).await;
                for (method, expected) in [
                    (Method::GET, format!("{HEAD} | {BODY}")),
                    (Method::HEAD, HEAD.to_owned()),
                ] {
                    let got = client.ask(method.clone(), "/").await;
                    let case = format!("{method} {exit:?} over {protocol:?}");
                    differences.note(&case, &got, &expected);
                }
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn an_axum_handler_without_a_layer_responds_alike() {
    let app = Router::new().route("/", get(async || Err::<(), _>(supplemented())));
    for app in [app.clone(), app.layer(ExceptionLayer::new())] {
        let server = Server::start_axum(app).await;
        let mut client = server.connect(Protocol::Http1).await;
        assert_eq!(client.get("/").await, format!("{HEAD} | {BODY}"));
    }
}

/// Renders what a problem document has.
fn problem(exception: &HttpException, _: &Caught) -> Rendered {
    let members = exception
        .members()
        .map(|(name, json)| format!("{name}={json}"));
    let body = format!(
        "{:?} {:?} {:?} {:?} {}",
        exception.problem_type(),
        exception.title(),
        exception.code(),
        exception.retry_after(),
        members.collect::<Vec<_>>().join(",")
    );
    Rendered::new(http::HeaderValue::from_static("text/plain"), body)
}

/// An inner layer has rendered the exception already, in FastAPI's form.
#[tokio::test]
async fn a_renderer_and_a_handler_see_all_of_it() {
    const EXPECTED: &str = r#"Some("https://shop.example/problems/sold-out") Some("Sold out") Some("item-sold-out") Some(1.5s) left=0"#;
    for exit in EXITS {
        let failing = ExceptionLayer::new().with_renderer(problem);
        let handled = ExceptionLayer::new()
            .with_renderer(problem)
            .on(|exception: Caught<HttpException>| exception.clone());
        for layer in [failing, handled] {
            let server = serve_failing(layer.clone(), exit, supplemented).await;
            let mut client = server.connect(Protocol::Http2).await;
            let received = client.exchange(crate::support::request(Method::GET, "/"));
            let received = received.await.unwrap();
            assert_eq!(received.text(), EXPECTED, "{exit:?}");
            assert_eq!(received.header("retry-after"), Some("2"), "{exit:?}");
        }
    }
}
