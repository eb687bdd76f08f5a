//! The example with forms, as a person opens it.

use crate::{chromium::Chromium, example};

/// `tests/forms/example.rs` has the other clients.
#[tokio::test]
async fn a_person_sees_a_page_and_a_program_gets_a_problem_document() {
    let (_server, url) = example::start("forms").await;
    let mut chromium = Chromium::start().await;
    let mut tab = chromium.open(&url).await;
    tab.see(&["The plumbus shop", "plumbus 7"]).await;

    // The page calls the API.
    tab.click("button").await;
    tab.see(&[
        "422 application/problem+json",
        "#/customer",
        "must be between 1 and 99",
    ])
    .await;

    for (path, texts) in [
        (
            "/items/7",
            &["409", "Sold out", "plumbus 7 is sold out", "Error id: "][..],
        ),
        (
            "/items/8",
            &["404", "Not Found", "there is no plumbus 8", "Error id: "],
        ),
        ("/items/13", &["500", "Internal Server Error", "Error id: "]),
        ("/nowhere", &["404", "Not Found", "Error id: "]),
    ] {
        let mut tab = chromium.open(&format!("{url}{path}")).await;
        tab.see(texts).await;
        if path == "/items/7" {
            for scheme in ["light", "dark"] {
                // The pictures in the README and the guide: `examples/forms/*.webp`.
                tab.show_as(560, 300, scheme).await;
                tab.save_screenshot(&format!("forms-{scheme}.webp")).await;
            }
        }
    }
    chromium.close().await;
}
