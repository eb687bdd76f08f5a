//! Access to the page: for a developer on this machine, and nobody else.

use std::net::SocketAddr;

use axum::{Router, extract::ConnectInfo, routing::get};
use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt};
use tower_exception::{ExceptionLayer, HttpException, debug_page::DebugPage};

use crate::{
    BROWSER, browser, is_page, page_for_tests,
    support::{PROTOCOLS, Received, Server},
    with_headers,
};

async fn fails() -> HttpException {
    HttpException::conflict("sold out")
}

/// Serves one failing path with this page, and its list. The peer has the address `peer`.
async fn serve(page: &DebugPage, peer: Option<&'static str>) -> Server {
    let app = Router::new()
        .route("/", get(fails))
        .layer(ExceptionLayer::new().with_debug_page(page.clone()))
        .layer(page.history_layer("/failures"));
    let with_peer = move |mut request: Request<_>| {
        if let Some(peer) = peer {
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        request
    };
    Server::start(ServiceBuilder::new().map_request(with_peer).service(app)).await
}

/// Checks that the response is the one of a layer without the page.
fn assert_is_usual(received: &Received) {
    assert_eq!(received.status, 409);
    assert_eq!(received.text(), r#"{"detail":"sold out"}"#);
    for header in ["content-security-policy", "cache-control", "vary"] {
        assert_eq!(received.header(header), None);
    }
}

/// Sends a request for the failure as a browser and as a program, and one for the list, with these
/// headers too. Returns whether each was admitted, which has to be the same.
async fn is_admitted(server: &Server, headers: &[(&str, &str)]) -> bool {
    let of_browser = [headers, &[("accept", BROWSER)]].concat();
    let page = server.send(with_headers("/", &of_browser)).await;
    let json = server.send(with_headers("/", headers)).await;
    let list = server.send(with_headers("/failures", &of_browser)).await;
    let is_admitted = is_page(&page);
    if is_admitted {
        assert!(json.text().contains("\"debug\":{"), "{json}");
        assert_eq!(list.status, 200);
    } else {
        assert_is_usual(&page);
        assert_is_usual(&json);
        assert_eq!(list.status, 404);
        assert!(!list.text().contains("sold out"), "{list}");
    }
    is_admitted
}

#[tokio::test]
async fn a_peer_of_another_machine_sees_no_page() {
    for (peer, expected) in [
        (None, true),
        (Some("127.0.0.1:7"), true),
        (Some("[::1]:7"), true),
        (Some("192.168.1.7:7"), false),
        (Some("[2001:db8::1]:7"), false),
    ] {
        let server = serve(&page_for_tests(), peer).await;
        assert_eq!(is_admitted(&server, &[]).await, expected, "{peer:?}");
    }
}

#[tokio::test]
async fn the_address_that_axum_knows_counts() {
    let app = Router::new()
        .route("/", get(fails))
        .layer(ExceptionLayer::new().with_debug_page(page_for_tests()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    let mut client = crate::support::Client::connect(PROTOCOLS[0], address).await;
    let page = client.exchange(browser("/")).await.unwrap();
    assert!(is_page(&page));
    assert!(page.text().contains("<dd>127.0.0.1</dd>"));
}

#[tokio::test]
async fn a_client_behind_a_proxy_sees_no_page() {
    let server = serve(&page_for_tests(), Some("127.0.0.1:7")).await;
    assert!(is_admitted(&server, &[("x-forwarded-for", "127.0.0.1")]).await);
    assert!(!is_admitted(&server, &[("x-forwarded-for", "203.0.113.7")]).await);
    assert!(!is_admitted(&server, &[("forwarded", "for=203.0.113.7")]).await);
    assert!(!is_admitted(&server, &[("x-real-ip", "203.0.113.7")]).await);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_read_the_failures() {
    let server = serve(&page_for_tests(), Some("127.0.0.1:7")).await;
    assert!(is_admitted(&server, &[("origin", "http://localhost:5173")]).await);
    assert!(!is_admitted(&server, &[("origin", "https://evil.example")]).await);
}

#[tokio::test]
async fn a_name_that_is_none_of_this_machine_sees_no_page() {
    // The clients of these tests say `host: test`, which is such a name unless it is allowed.
    let server = serve(&DebugPage::new(), Some("127.0.0.1:7")).await;
    for protocol in PROTOCOLS {
        let received = server
            .connect(protocol)
            .await
            .exchange(browser("/"))
            .await
            .unwrap();
        assert_is_usual(&received);
    }
    let allowed = serve(&page_for_tests(), Some("127.0.0.1:7")).await;
    for protocol in PROTOCOLS {
        let received = allowed
            .connect(protocol)
            .await
            .exchange(browser("/"))
            .await
            .unwrap();
        assert!(is_page(&received), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_server_without_axum_passes_the_address_itself() {
    let fails = async |_: Request<()>| Err::<Response<String>, _>(HttpException::gone("sold"));
    let layer = ExceptionLayer::new().with_debug_page(page_for_tests());
    let service = ServiceBuilder::new().layer(layer).service_fn(fails);
    for (peer, expected) in [("127.0.0.1:7", true), ("10.0.0.7:7", false)] {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = Request::get("/")
            .extension(peer)
            .header("host", "localhost");
        let request = request.header("accept", BROWSER).body(()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(is_page(&Received::of(response).await), expected, "{peer}");
    }
}
