//! The id in each form.

use tower_exception::{
    Caught, HttpException,
    render::{Html, Json, Negotiated, Page, Problem, Rendered, Text},
};

use crate::{ID, get, layer, serve, support::problem_document::problem_in};

async fn received(
    layer: tower_exception::ExceptionLayer<tower_exception::config::Configured>,
) -> String {
    let server = serve(layer).await;
    let received = server.send(get("/raised", &[("x-request-id", ID)])).await;
    assert_eq!(received.header("x-request-id"), Some(ID));
    if received.header("content-type") == Some("application/problem+json") {
        problem_in(&received);
    }
    received.text().to_owned()
}

#[tokio::test]
async fn every_form_has_the_id() {
    let json = r#"{"detail":"sold out","error_id":"shop-7:4711"}"#;
    assert_eq!(received(layer()).await, json);
    assert_eq!(received(layer().with_renderer(Json)).await, json);
    let negotiated = Negotiated::new(Json).or(Text);
    assert_eq!(received(layer().with_renderer(negotiated)).await, json);
    assert_eq!(
        received(layer().with_renderer(Problem::new())).await,
        r#"{"title":"Conflict","status":409,"detail":"sold out","error_id":"shop-7:4711"}"#
    );
    assert_eq!(
        received(layer().with_renderer(Text)).await,
        "409 Conflict: sold out\nerror id: shop-7:4711\n"
    );
    let page = received(layer().with_renderer(Html::new())).await;
    let page = scraper::Html::parse_document(&page);
    let code = scraper::Selector::parse("main > p.id > code").unwrap();
    let shown: Vec<String> = page.select(&code).map(|it| it.text().collect()).collect();
    assert_eq!(shown, [ID]);
}

#[tokio::test]
async fn a_renderer_of_the_user_has_the_id() {
    let page = Html::new().with_page(|page: &Page<'_>| page.id.unwrap().to_string());
    assert_eq!(received(layer().with_renderer(page)).await, ID);
    let function = |_: &HttpException, caught: &Caught| {
        let text = http::HeaderValue::from_static("text/plain");
        Rendered::new(text, caught.id().unwrap().to_owned())
    };
    assert_eq!(received(layer().with_renderer(function)).await, ID);
}
