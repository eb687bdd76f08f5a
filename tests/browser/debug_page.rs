//! The page for development, as a developer sees it.

use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Tab},
    example,
};

/// Width and height of a window, and its name.
const WINDOWS: [(u32, u32, &str); 2] = [(1280, 900, "wide"), (390, 844, "narrow")];

/// Colors of a reader.
const SCHEMES: [&str; 2] = ["light", "dark"];

/// JavaScript: returns the width that the page needs and the one that it has.
const WIDTHS: &str =
    "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]";

/// JavaScript: returns the number of cards that are narrower than their section.
const NARROW_CARDS: &str = "() => [...document.querySelectorAll('section > .card')]
    .filter(card => card.offsetWidth < card.parentElement.clientWidth).length";

/// Opens `url` in each window and each scheme, saves a screenshot, and checks that the page sees
/// `texts` and fits into its window.
async fn view(chromium: &mut Chromium, url: &str, name: &str, texts: &[&str]) -> Tab {
    let mut tab = chromium.open(url).await;
    tab.see(texts).await;
    for (width, height, window) in WINDOWS {
        for scheme in SCHEMES {
            tab.show_as(width, height, scheme).await;
            assert_eq!(
                tab.call(NARROW_CARDS, json!([])).await,
                0,
                "{name} {window}"
            );
            let widths = tab.call(WIDTHS, json!([])).await;
            assert!(
                widths[0].as_u64() <= widths[1].as_u64(),
                "{name} {window}: {widths}"
            );
            tab.save_screenshot(&format!("debug-page-{name}-{window}-{scheme}.png"))
                .await;
        }
    }
    tab
}

/// JavaScript: fails in three ways that no tab shows, and returns what a page sees of it.
const FAIL: &str = "async host => {
    const order = await fetch('/orders/8?token=swordfish');
    const headers = { 'content-type': 'application/grpc' };
    const count = await fetch('/shop.Stock/Count', { method: 'POST', headers });
    const code = await new Promise(resolve => {
        const socket = new WebSocket(`ws://${location.host}/prices`);
        socket.onopen = () => socket.send('three');
        socket.onclose = ({ code }) => resolve(code);
    });
    return [order.status, count.headers.get('grpc-status'), code, (await order.json()).debug.kind];
}";

#[tokio::test]
async fn a_developer_sees_each_failure_on_a_page() {
    let (mut server, url) = example::start("debug_page").await;
    let mut chromium = Chromium::start().await;
    let page = |path: &str| format!("{}{path}", url.trim_end_matches('/'));

    let chain = [
        "load the order",
        "connection refused",
        "stock::Step",
        "10, the outermost first",
    ];
    view(&mut chromium, &page("/orders/7"), "chain", &chain).await;

    let panic = [
        "attempt to divide by zero",
        "debug_page::stock::divide",
        "Request",
    ];
    let mut tab = view(
        &mut chromium,
        &page("/checkout/2?coupon=SUMMER"),
        "panic",
        &panic,
    )
    .await;
    tab.see(&["sum / count", "coupon=•••", "Internal Server Error"])
        .await;
    let link = "() => document.querySelector('.facts a').href";
    let link = tab.call(link, json!([])).await;
    let link = link.as_str().unwrap();
    assert!(link.starts_with("vscode://file/"), "{link}");
    assert!(link.contains("/examples/debug_page/stock.rs:"), "{link}");
    // The picture in the README: `examples/debug_page/page.webp`.
    tab.show_as(1280, 860, "light").await;
    tab.save_screenshot("page.webp").await;
    copies_as_markdown(&mut tab).await;
    unfolds_all_frames(&mut tab).await;

    let nested = [
        "404 Not Found",
        "/admin/nowhere",
        "adopted from a plain error response",
        "No route",
    ];
    view(&mut chromium, &page("/admin/nowhere"), "nested", &nested).await;
    let exception = [
        "there is no portal",
        "tower_exception::HttpException",
        "ensure!",
    ];
    view(
        &mut chromium,
        &page("/items/portal"),
        "exception",
        &exception,
    )
    .await;
    let long = ["quick brown fox", "<b>Not bold.</b>", "more bytes"];
    view(&mut chromium, &page("/report"), "long", &long).await;

    let mut shop = chromium.open(&url).await;
    let mut history = chromium.open(&page("/failures")).await;
    history
        .see(&["there is no portal", "422 Unprocessable Entity"])
        .await;
    let seen = shop.call(FAIL, json!([])).await;
    assert_eq!(seen, json!([500, "13", 1011, "Error"]));
    // The list has grown without a reload.
    history.command("Page.bringToFront", json!({})).await;
    let failures = [
        "closed with 1011",
        "gRPC INTERNAL",
        "WebSocket GET /prices",
        "token=•••",
    ];
    history.see(&failures).await;
    view(&mut chromium, &page("/failures"), "history", &failures).await;
    let list = history.call(
        "async () => (await (await fetch(location.href)).text())",
        json!([]),
    );
    assert!(!list.await.as_str().unwrap().contains("swordfish"));
    let rows = "() => [...document.querySelectorAll('a.row')].slice(0, 2).map(row => row.href)";
    let rows = history.call(rows, json!([])).await;
    let websocket = ["closed with 1011", "a price", "in the task of a WebSocket"];
    view(
        &mut chromium,
        rows[0].as_str().unwrap(),
        "websocket",
        &websocket,
    )
    .await;
    let grpc = [
        "gRPC INTERNAL",
        "the warehouse does not respond",
        "POST /shop.Stock/Count",
    ];
    view(&mut chromium, rows[1].as_str().unwrap(), "grpc", &grpc).await;

    server.kill().await.unwrap();
    chromium.close().await;
}

/// Clicks on the button, and reads the clipboard.
async fn copies_as_markdown(tab: &mut Tab) {
    let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    tab.command("Browser.grantPermissions", permissions).await;
    tab.click("#copy").await;
    tab.see(&["Copied"]).await;
    let copied = tab
        .call("() => navigator.clipboard.readText()", json!([]))
        .await;
    let copied = copied.as_str().unwrap();
    assert!(copied.starts_with("# 500 Internal Server Error: GET `/checkout/2?coupon=•••`"));
    assert!(copied.contains("debug_page::stock::divide at ./examples/debug_page/stock.rs:"));
    assert!(!copied.contains("SUMMER"), "{copied}");
}

async fn unfolds_all_frames(tab: &mut Tab) {
    const ARE_OPEN: &str =
        "() => [...document.querySelectorAll('.frames details')].map(it => it.open)";
    let is = |open: bool| move |it: &Value| *it == Value::Bool(open);
    let before = tab.call(ARE_OPEN, json!([])).await;
    let before = before.as_array().unwrap();
    assert!(
        before.iter().any(is(true)) && before.iter().any(is(false)),
        "{before:?}"
    );
    tab.click("#unfold").await;
    let after = tab.call(ARE_OPEN, json!([])).await;
    assert!(after.as_array().unwrap().iter().all(is(true)), "{after}");
    tab.save_screenshot("debug-page-unfolded.png").await;
}
