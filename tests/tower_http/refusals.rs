//! Responses that a layer of tower-http makes by itself, and effects that no response shows.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::Full;
use tower::{Layer, ServiceBuilder};
use tower_exception::{Caught, ExceptionLayer, HttpException};
use tower_http::{
    auth::AsyncRequireAuthorizationLayer, csrf::CsrfLayer, limit::RequestBodyLimitLayer,
    metrics::InFlightRequestsLayer, normalize_path::NormalizePathLayer,
    on_early_drop::OnEarlyDropLayer, sensitive_headers::SetSensitiveHeadersLayer,
    services::ServeDir, timeout::TimeoutLayer, validate_request::ValidateRequestHeaderLayer,
};

use crate::{
    routes,
    support::{Server, request},
};

/// Duration that a test can wait for.
const SHORT: Duration = Duration::from_millis(20);

fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &'static str,
) -> Request<Full<Bytes>> {
    let name = HeaderName::from_static(name);
    request
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    request
}

/// Serves `routes` below a layer that adopts.
async fn adopting(routes: Router) -> Server {
    Server::start_axum(routes.layer(ExceptionLayer::new().adopt_error_responses())).await
}

#[tokio::test]
async fn a_refusal_of_a_layer_inside_is_adopted() {
    let accept = ValidateRequestHeaderLayer::accept("application/json");
    let server = adopting(routes().layer(accept)).await;
    let html = with(request(Method::GET, "/fine"), "accept", "text/html");
    server.send(html).await.assert_detail(406, "Not Acceptable");

    let server = adopting(routes().layer(RequestBodyLimitLayer::new(4))).await;
    let long = request(Method::POST, "/echo").map(|_| Full::from("too long"));
    server
        .send(long)
        .await
        .assert_detail(413, "length limit exceeded");

    let server = adopting(routes().layer(CsrfLayer::new())).await;
    let cross = with(
        request(Method::POST, "/echo"),
        "sec-fetch-site",
        "cross-site",
    );
    let received = server.send(cross).await;
    assert_eq!(received.status, StatusCode::FORBIDDEN);
    assert_eq!(received.header("content-type"), Some("application/json"));

    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, SHORT);
    let slow = Router::new().route("/slow", axum::routing::get(pending::<()>));
    let server = adopting(slow.layer(timeout)).await;
    server
        .get("/slow")
        .await
        .assert_detail(504, "Gateway Timeout");

    let server = adopting(Router::new().fallback_service(ServeDir::new("src"))).await;
    server
        .get("/nowhere.rs")
        .await
        .assert_detail(404, "Not Found");
    assert!(server.get("/lib.rs").await.text().contains("mod adopt;"));
}

/// The layer's error type is a response, to which an exception can be attached.
#[tokio::test]
async fn an_authorization_refuses_with_an_exception() {
    let authorize = |request: Request<axum::body::Body>| async move {
        match request.headers().contains_key(AUTHORIZATION) {
            true => Ok(request),
            false => Err(HttpException::unauthorized("who are you?").into()),
        }
    };
    let app = routes()
        .layer(AsyncRequireAuthorizationLayer::new(authorize))
        .layer(
            ExceptionLayer::new().on_status(401, |exception: Caught<HttpException>| {
                HttpException::forbidden(exception.detail_or_reason().to_string())
            }),
        );
    let server = Server::start_axum(app).await;
    server.get("/fine").await.assert_detail(403, "who are you?");
    let authorized = with(
        request(Method::GET, "/raised"),
        "authorization",
        "Bearer letmein",
    );
    assert_eq!(server.send(authorized).await.status, 404);
}

/// The path is changed before the router sees it, so the layer is around the router.
#[tokio::test]
async fn a_path_is_normalized_around_a_router() {
    let routes = routes().layer(
        ExceptionLayer::new().on(|exception: Caught<HttpException>| {
            HttpException::gone(exception.request().uri().path().to_owned())
        }),
    );
    let server = Server::start(NormalizePathLayer::trim_trailing_slash().layer(routes)).await;
    server.get("/raised/").await.assert_detail(410, "/raised");
    assert_eq!(server.get("/fine/").await.status, 200);
}

/// A handler that prints the request prints no value of a sensitive header.
#[tokio::test]
async fn a_header_that_is_marked_as_sensitive_reaches_a_handler_as_such() {
    let layer = ExceptionLayer::new()
        .capture_headers()
        .on(|exception: Caught<HttpException>| {
            let headers = exception.request().headers();
            let value = headers.and_then(|headers| headers.get(AUTHORIZATION));
            HttpException::gone(format!("{value:?}"))
        });
    let outside = ServiceBuilder::new()
        .layer(SetSensitiveHeadersLayer::new([AUTHORIZATION]))
        .layer(layer);
    let server = Server::start_axum(routes().layer(outside)).await;
    let request = with(
        request(Method::GET, "/raised"),
        "authorization",
        "Bearer letmein",
    );
    server
        .send(request)
        .await
        .assert_detail(410, "Some(Sensitive)");
}

#[tokio::test]
async fn no_request_stays_in_flight_after_a_failure() {
    let (outer, outside) = InFlightRequestsLayer::pair();
    let (inner, inside) = InFlightRequestsLayer::pair();
    let stack = ServiceBuilder::new()
        .layer(outer)
        .layer(ExceptionLayer::new())
        .layer(inner);
    let server = Server::start_axum(routes().layer(stack)).await;
    for path in [
        "/attached",
        "/returned",
        "/raised",
        "/raised-async",
        "/panic",
    ] {
        server.get(path).await;
        // The server drops the body of a response after the client has received it.
        while outside.get() + inside.get() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Inside, a raised exception drops the future early.
#[tokio::test]
async fn an_early_drop_inside_is_an_exception_that_is_raised() {
    let drops = || {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let layer = OnEarlyDropLayer::builder().on_future_drop(move |_: &Request<_>| {
            let counter = Arc::clone(&counter);
            move || {
                counter.fetch_add(1, SeqCst);
            }
        });
        (layer, count)
    };
    let ((outer, outside), (inner, inside)) = (drops(), drops());
    let stack = ServiceBuilder::new()
        .layer(outer)
        .layer(ExceptionLayer::new())
        .layer(inner);
    let server = Server::start_axum(routes().layer(stack)).await;
    for path in ["/fine", "/attached", "/returned"] {
        server.get(path).await;
    }
    assert_eq!((outside.load(SeqCst), inside.load(SeqCst)), (0, 0));
    server.get("/raised-async").await;
    server.get("/raised").await;
    server.get("/panic").await;
    assert_eq!((outside.load(SeqCst), inside.load(SeqCst)), (0, 3));
}
