//! Exceptions as a page in a browser sees them, in headless Chromium over its DevTools protocol.
//!
//! `run.sh` installs Chromium and runs this target.

mod chat;
mod chromium;
mod debug_page;
#[allow(dead_code, reason = "only the README's example is opened in a browser")]
#[path = "../faults/documented.rs"]
mod documented;
mod example;
mod forms;
mod human;
mod server;

use std::net::SocketAddr;

use serde_json::{Value, json};
use tower_exception::{CloseCode, WebSocketException};

use chromium::{Chromium, Tab};
use server::{FIRST_MESSAGE, Server};

/// Subprotocols that the page offers. The server of these tests selects the second one.
const OFFERED: [&str; 2] = ["chat.v2", "chat.v1"];

/// JavaScript: opens a WebSocket, sends a message, and returns all that the page observes.
const CONVERSE: &str = "(url, protocols, message) => new Promise(resolve => {
    const socket = new WebSocket(url, protocols);
    const seen = { protocol: null, messages: [] };
    socket.onopen = () => {
        seen.protocol = socket.protocol;
        socket.send(message);
    };
    socket.onmessage = ({ data }) => seen.messages.push(data);
    socket.onclose = ({ code, reason, wasClean }) => resolve({ ...seen, code, reason, wasClean });
})";

async fn converse(tab: &mut Tab, address: SocketAddr, path: &str, protocols: &[&str]) -> Value {
    let url = format!("ws://{address}{path}");
    tab.call(CONVERSE, json!([url, protocols, FIRST_MESSAGE]))
        .await
}

#[tokio::test]
async fn exceptions_before_the_handshake_reach_the_page() {
    let server = Server::start().await;
    let mut chromium = Chromium::start().await;
    let mut tab = chromium.open(&server.page()).await;
    for path in [
        "/before/returned",
        "/before/raised",
        "/before/raised-async",
        "/before/handled",
    ] {
        for (offered, protocol) in [(&[][..], ""), (&OFFERED, "chat.v2")] {
            assert_eq!(
                converse(&mut tab, server.address, path, offered).await,
                json!({
                    "protocol": protocol, "messages": [],
                    "code": 4401, "reason": "no token", "wasClean": true
                }),
                "{path} {offered:?}"
            );
        }
    }
    // The other refusals are HTTP responses, which a browser hides from the page.
    for path in ["/before/http", "/before/panic", "/nowhere"] {
        let seen = converse(&mut tab, server.address, path, &[]).await;
        assert_eq!(
            seen,
            json!({
                "protocol": null, "messages": [],
                "code": 1006, "reason": "", "wasClean": false
            }),
            "{path}"
        );
    }
    chromium.close().await;
}

#[tokio::test]
async fn exceptions_after_the_handshake_reach_the_page() {
    let server = Server::start().await;
    let mut chromium = Chromium::start().await;
    let mut tab = chromium.open(&server.page()).await;
    for (path, code, reason) in [
        ("/after/raised", 1008, "no swearing"),
        ("/after/raised-async", 1008, "no swearing"),
        ("/after/panic", 1011, ""),
        ("/after/dropped", 1000, ""),
        ("/after/http", 4404, "no such room"),
        ("/after/caught/returned", 1008, "no swearing"),
        ("/after/caught/raised", 1008, "no swearing"),
        ("/after/caught/raised-async", 1008, "no swearing"),
        ("/after/caught/panic", 1011, ""),
        ("/after/caught/ended", 1000, ""),
        ("/after/caught/http", 4404, "no such room"),
        ("/after/caught/error", 1011, ""),
    ] {
        for (offered, protocol) in [(&[][..], ""), (&OFFERED, "chat.v1")] {
            assert_eq!(
                converse(&mut tab, server.address, path, offered).await,
                json!({
                    "protocol": protocol, "messages": [FIRST_MESSAGE],
                    "code": code, "reason": reason, "wasClean": true
                }),
                "{path} {offered:?}"
            );
        }
    }
    chromium.close().await;
}

/// JavaScript: opens WebSockets, and returns when each has echoed a message.
const OPEN_ALL: &str = "(url, count, message) => {
    const open = () => {
        const socket = new WebSocket(url);
        socket.onopen = () => socket.send(message);
        const closed = new Promise(resolve => {
            socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
        });
        const echoed = new Promise(resolve => socket.onmessage = resolve);
        return { closed, echoed };
    };
    const sockets = Array.from({ length: count }, open);
    window.allClosed = Promise.all(sockets.map(socket => socket.closed));
    return Promise.all(sockets.map(socket => socket.echoed)).then(() => true);
}";

#[tokio::test]
async fn close_all_closes_every_socket_of_the_page() {
    const SOCKETS: usize = 20;
    let server = Server::start().await;
    let mut chromium = Chromium::start().await;
    let mut tab = chromium.open(&server.page()).await;
    let url = format!("ws://{}/echo", server.address);
    tab.call(OPEN_ALL, json!([url, SOCKETS, FIRST_MESSAGE]))
        .await;
    assert_eq!(server.websockets.count(), SOCKETS);

    let restart = WebSocketException::new(CloseCode::SERVICE_RESTART).with_reason("back soon");
    server.websockets.close_all(restart).await;
    assert_eq!(server.websockets.count(), 0);
    let closed = json!({ "code": 1012, "reason": "back soon", "wasClean": true });
    assert_eq!(
        tab.call("() => window.allClosed", json!([])).await,
        json!(vec![closed; SOCKETS])
    );
    chromium.close().await;
}

/// JavaScript: opens a WebSocket, and closes it after the first message.
const CLOSE: &str = "(url, message) => new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(message);
    socket.onmessage = () => socket.close(4000, 'enough');
    socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean });
})";

#[tokio::test]
async fn a_page_that_closes_gets_its_own_code_back() {
    let server = Server::start().await;
    let mut chromium = Chromium::start().await;
    let mut tab = chromium.open(&server.page()).await;
    for path in ["/echo", "/leaves-at-close"] {
        let url = format!("ws://{}{path}", server.address);
        assert_eq!(
            tab.call(CLOSE, json!([url, FIRST_MESSAGE])).await,
            json!({ "code": 4000, "wasClean": true }),
            "{path}"
        );
    }
    chromium.close().await;
}

/// JavaScript: opens a WebSocket with a subprotocol, sends a message, and closes after its echo.
const CHAT: &str = "(url, protocol, message) => new Promise(resolve => {
    const socket = protocol ? new WebSocket(url, protocol) : new WebSocket(url);
    const seen = { protocol: null, messages: [] };
    socket.onopen = () => { seen.protocol = socket.protocol; socket.send(message); };
    socket.onmessage = ({ data }) => { seen.messages.push(data); socket.close(1000, 'bye'); };
    socket.onclose = ({ code, reason, wasClean }) => resolve({ ...seen, code, reason, wasClean });
})";

#[tokio::test]
async fn the_example_of_the_readme_works_in_a_browser() {
    let app = documented::readme().route("/", axum::routing::get(server::page));
    let address = server::serve(app).await;
    let mut chromium = Chromium::start().await;
    let mut tab = chromium.open(&format!("http://{address}/")).await;
    let url = format!("ws://{address}/echo");
    let seen = tab.call(CHAT, json!([url, "chat", FIRST_MESSAGE])).await;
    assert_eq!(
        seen,
        json!({
            "protocol": "chat", "messages": [FIRST_MESSAGE],
            "code": 1000, "reason": "bye", "wasClean": true
        })
    );
    let seen = tab.call(CHAT, json!([url, null, FIRST_MESSAGE])).await;
    assert_eq!(
        seen,
        json!({
            "protocol": "", "messages": [],
            "code": 1008, "reason": "no chat", "wasClean": true
        })
    );
    chromium.close().await;
}
