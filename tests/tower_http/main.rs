//! Every layer of tower-http outside and inside of the layer, below axum's server.
//!
//! A layer outside sees a response, whatever fails. So the client gets from it the response that
//! the layer alone makes of a plain response with the same bytes. A layer inside sees a response
//! only if the failure is attached to one.

mod layers;
mod refusals;
#[path = "../support/mod.rs"]
mod support;

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower_exception::{ExceptionLayer, HttpException, Result};

use layers::{Effect, STACKS, Stack};
use support::{Differences, PROTOCOLS, Protocol, SECRET_TEXT, SecretError, Server, request};

const DETAIL: &str = "Item not found, wherever one may look for it";

fn not_found() -> HttpException {
    let own = HeaderValue::from_static("own");
    HttpException::not_found(DETAIL).with_header(HeaderName::from_static("x-own"), own)
}

/// Returns a response with the bytes of the exception, and nothing attached.
fn plain_not_found() -> Response {
    let body = Json(json!({ "detail": DETAIL }));
    (StatusCode::NOT_FOUND, [("x-own", "own")], body).into_response()
}

fn plain_error() -> Response {
    let body = Json(json!({ "detail": "Internal Server Error" }));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

fn panics() {
    panic!("{SECRET_TEXT}")
}

fn routes() -> Router {
    Router::new()
        .route(
            "/fine",
            get(|| async { "fine, and long enough to be compressed by a layer" }),
        )
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/plain", get(|| async { plain_not_found() }))
        .route("/plain-error", get(|| async { plain_error() }))
        .route("/attached", get(|| async { Err::<(), _>(not_found()) }))
        .route(
            "/returned",
            get(|| async { Result::<()>::Err(SecretError.into()) }),
        )
        .route("/raised", get(|| async { not_found().raise() as () }))
        .route(
            "/raised-async",
            get(|| async { not_found().raise_async::<()>().await }),
        )
        .route("/panic", get(|| async { panics() }))
}

/// Failures as responses, and the plain response with the same bytes.
const RESPONSES: [(&str, &str); 2] = [("/attached", "/plain"), ("/returned", "/plain-error")];

/// Failures that leave no response, and the plain response with the same bytes.
const UNWOUND: [(&str, &str); 3] = [
    ("/raised", "/plain"),
    ("/raised-async", "/plain"),
    ("/panic", "/plain-error"),
];

/// Returns a request of a browser that asks for everything that a layer may do.
fn asking(method: Method, path: &str) -> Request<Full<Bytes>> {
    let mut request = request(method, path);
    for (name, value) in [
        ("accept", "application/json"),
        ("accept-encoding", "gzip"),
        ("authorization", "Bearer letmein"),
        ("origin", "https://elsewhere.example"),
        ("sec-fetch-site", "same-origin"),
        ("x-request-id", "7"),
        ("x-tenant", "c137"),
    ] {
        let name = HeaderName::from_static(name);
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}

async fn get_from(server: &Server, protocol: Protocol, path: &str) -> String {
    let mut client = server.connect(protocol).await;
    let method = if path == "/echo" {
        Method::POST
    } else {
        Method::GET
    };
    match client.exchange(asking(method, path)).await {
        Ok(received) => received.to_string(),
        Err(error) => format!("{error:?}"),
    }
}

/// Servers of one stack.
struct Servers {
    alone: Server,
    outside: Server,
    inside: Server,
    inside_configured: Server,
}

impl Servers {
    async fn start(stack: &Stack) -> Self {
        Self {
            alone: Server::start_axum((stack.alone)(routes())).await,
            outside: Server::start_axum((stack.outside)(routes())).await,
            inside: Server::start_axum((stack.inside)(routes())).await,
            inside_configured: Server::start_axum((stack.inside_configured)(routes())).await,
        }
    }
}

#[tokio::test]
async fn nothing_changes_if_nothing_is_raised() {
    let _log = support::log_to_sink();
    let mut differences = Differences::default();
    for stack in STACKS {
        let servers = Servers::start(stack).await;
        for protocol in PROTOCOLS {
            for path in [
                "/fine",
                "/echo",
                "/plain",
                "/plain-error",
                "/nowhere",
                "/attached/",
            ] {
                let expected = get_from(&servers.alone, protocol, path).await;
                let case = format!("{} {path} over {protocol:?}", stack.name);
                for server in [
                    &servers.outside,
                    &servers.inside,
                    &servers.inside_configured,
                ] {
                    let received = get_from(server, protocol, path).await;
                    differences.note(&case, &received, &expected);
                }
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_layer_outside_treats_a_failure_as_a_plain_response() {
    let _log = support::log_to_sink();
    let mut differences = Differences::default();
    for stack in STACKS {
        let servers = Servers::start(stack).await;
        for protocol in PROTOCOLS {
            for (path, plain) in RESPONSES.into_iter().chain(UNWOUND) {
                let expected = get_from(&servers.alone, protocol, plain).await;
                let received = get_from(&servers.outside, protocol, path).await;
                let case = format!("{} {path} over {protocol:?}", stack.name);
                differences.note(&case, &received, &expected);
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_layer_inside_treats_an_attached_failure_as_a_plain_response() {
    let _log = support::log_to_sink();
    let mut differences = Differences::default();
    for stack in STACKS {
        let servers = Servers::start(stack).await;
        for protocol in PROTOCOLS {
            for (path, plain) in RESPONSES {
                let expected = get_from(&servers.alone, protocol, plain).await;
                let case = format!("{} {path} over {protocol:?}", stack.name);
                for server in [&servers.inside, &servers.inside_configured] {
                    let received = get_from(server, protocol, path).await;
                    differences.note(&case, &received, &expected);
                }
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_layer_inside_does_not_see_an_exception_that_is_raised_nor_a_panic() {
    let _log = support::log_to_sink();
    let bare = Server::start_axum(routes().layer(ExceptionLayer::new())).await;
    let mut differences = Differences::default();
    for stack in STACKS
        .iter()
        .filter(|stack| stack.effect != Effect::CatchesPanics)
    {
        let servers = Servers::start(stack).await;
        for protocol in PROTOCOLS {
            for (path, _) in UNWOUND {
                let expected = get_from(&bare, protocol, path).await;
                let case = format!("{} {path} over {protocol:?}", stack.name);
                for server in [&servers.inside, &servers.inside_configured] {
                    let received = get_from(server, protocol, path).await;
                    differences.note(&case, &received, &expected);
                }
            }
        }
    }
    differences.assert_none();
}

/// The other tests compare a layer's effect with itself. Here it is seen.
#[tokio::test]
async fn the_effect_of_a_layer_on_a_failure_is_visible() {
    let _log = support::log_to_sink();
    let bare = Server::start_axum(routes().layer(ExceptionLayer::new())).await;
    for stack in STACKS {
        let servers = Servers::start(stack).await;
        let without = get_from(&bare, Protocol::Http1, "/raised").await;
        let with = get_from(&servers.outside, Protocol::Http1, "/raised").await;
        let is_visible = with != without;
        assert_eq!(
            is_visible,
            stack.effect == Effect::OnResponses,
            "{}: {with}",
            stack.name
        );
    }
}

/// A stack as in production, with all of them.
#[tokio::test]
async fn all_layers_work_outside_at_once() {
    let _log = support::log_to_sink();
    let all = |routes: Router| {
        let outermost_last = STACKS.iter().filter(|stack| stack.name != "set-status");
        outermost_last.fold(routes, |routes, stack| (stack.alone)(routes))
    };
    let alone = Server::start_axum(all(routes())).await;
    let outside = Server::start_axum(all(routes().layer(ExceptionLayer::new()))).await;
    for protocol in PROTOCOLS {
        for (path, plain) in RESPONSES.into_iter().chain(UNWOUND) {
            let expected = get_from(&alone, protocol, plain).await;
            assert_eq!(get_from(&outside, protocol, path).await, expected, "{path}");
        }
    }
}
