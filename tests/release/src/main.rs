//! The page for development in a release build: nobody can reach it, unless it is forced.

use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};
use tower_exception::{ExceptionLayer, HttpException, debug_page::DebugPage};

const USUAL: &str = r#"{"detail":"no item"}"#;

/// Sends a request of a browser on this machine, and returns the text of the response.
async fn get(page: &DebugPage, path: &str, accept: &str) -> String {
    let service = ServiceBuilder::new()
        .layer(page.history_layer("/failures"))
        .layer(ExceptionLayer::new().with_debug_page(page.clone()))
        .service_fn(async |_: Request<()>| {
            Err::<Response<String>, _>(HttpException::not_found("no item"))
        });
    let peer: SocketAddr = ([127, 0, 0, 1], 7).into();
    let request = Request::get(path)
        .header("host", "localhost")
        .header("accept", accept);
    let response = service
        .oneshot(request.extension(peer).body(()).unwrap())
        .await
        .unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    const { assert!(!cfg!(debug_assertions), "this is no release build") };

    let page = DebugPage::new();
    assert!(!page.is_on());
    for path in ["/", "/failures", "/failures/1"] {
        for accept in ["text/html", "application/json", "text/markdown", "*/*"] {
            assert_eq!(get(&page, path, accept).await, USUAL, "{path} {accept}");
        }
    }

    let forced = DebugPage::new().even_in_release_builds();
    assert!(forced.is_on());
    assert!(
        get(&forced, "/", "text/html")
            .await
            .contains("<h1>no item</h1>")
    );
    assert!(
        get(&forced, "/", "*/*")
            .await
            .starts_with(r#"{"detail":"no item","debug":{"#)
    );
    assert!(
        get(&forced, "/failures", "text/html")
            .await
            .contains("/failures/2")
    );
}
