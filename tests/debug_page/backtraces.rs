//! The backtrace of a panic on the page.

use axum::{Router, routing::get};
use tower_exception::{
    Caught, ExceptionLayer,
    panics::{self, FrameOrigin, frames},
};

use crate::{Parsed, browser, page_for_tests, support::Server};

#[inline(never)]
fn innermost() {
    panic!("no reason")
}

#[inline(never)]
fn outer() {
    innermost();
}

#[tokio::test]
async fn the_frames_of_the_application_are_open_and_others_are_folded() {
    panics::record().backtraces(true);
    let app = Router::new().route("/", get(async || outer()));
    let layer = ExceptionLayer::new()
        .observe(|panic: &Caught, _| {
            let frames = frames(panic.backtrace().unwrap());
            let inside = frames.iter().filter(|it| !it.is_outside_layer());
            let own: Vec<_> = inside
                .filter(|it| it.origin() == FrameOrigin::Application)
                .collect();
            assert!(own[0].function().ends_with("::innermost"), "{own:?}");
            assert!(own[1].function().ends_with("::outer"), "{own:?}");
            assert!(
                own[0]
                    .file()
                    .unwrap()
                    .ends_with("tests/debug_page/backtraces.rs")
            );
            for origin in [FrameOrigin::Layer, FrameOrigin::Runtime] {
                assert!(frames.iter().any(|it| it.origin() == origin), "{origin:?}");
            }
        })
        .with_debug_page(page_for_tests());
    let server = Server::start(app.layer(layer)).await;
    let page = server.send(browser("/")).await;
    let page = Parsed::of(&page);
    let functions = page.texts(".frames .app > summary code");
    assert_eq!(functions[0], "debug_page::backtraces::innermost");
    assert_eq!(functions[1], "debug_page::backtraces::outer");
    assert_eq!(page.texts(".frames .app[open]").len(), functions.len());
    assert_eq!(page.texts(".frames .fold[open]"), [""; 0]);
    assert!(
        page.texts(".frames .fold > summary")
            .concat()
            .contains("axum")
    );
    assert!(page.texts(".code .on")[0].contains("panic!("));
    let json: serde_json::Value = serde_json::from_slice(&server.get("/").await.body).unwrap();
    let backtrace = json["debug"]["backtrace"].as_array().unwrap();
    assert_eq!(
        backtrace[0]["function"],
        "debug_page::backtraces::innermost"
    );
    assert_eq!(backtrace.len(), functions.len());
}
