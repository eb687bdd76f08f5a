//! Section D: each failure is reported once, with the outcome that the client received.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, HttpException, Outcome, WebSocketException,
};
use tracing::Level;

use crate::support::{
    BoxError, Inner, PROTOCOLS, Protocol, Server, body, first_then, log::Log, observed, request,
};

/// Returns a service that responds as `respond` does, whatever the request.
fn service<B>(
    respond: fn() -> Result<Response<B>, BoxError>,
) -> impl Service<Request<Incoming>, Response = Response<B>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ 'static
where
    B: Send + 'static,
{
    service_fn(move |_: Request<Incoming>| async move { respond() })
}

fn oops() -> HttpException {
    HttpException::internal_server_error("oops").with_source(io::Error::other("disk gone"))
}

// D1
#[tokio::test]
async fn an_unconfigured_layer_reports_an_attached_exception_once() {
    let log = Log::start();
    let app = axum::Router::new()
        .route("/", axum::routing::get(|| async { Err::<(), _>(oops()) }))
        .layer(ExceptionLayer::new());
    let server = Server::start_axum(app).await;
    for method in [Method::GET, Method::HEAD] {
        Log::start();
        let received = server.send(request(method.clone(), "/")).await;
        assert_eq!(received.status, 500);
        let event = log.only_event();
        assert_eq!(event.level, Level::ERROR, "{method}");
        assert_eq!(event.get("http.response.status_code"), Some("500"));
        assert_eq!(event.get("tower_exception.mechanism"), Some("attached"));
    }
}

// D1
#[tokio::test]
async fn an_attached_exception_is_reported_once_over_grpc_too() {
    let log = Log::start();
    let attached = service(|| Ok(Response::<Full<Bytes>>::from(oops())));
    let server = Server::start(ExceptionLayer::new().layer(attached)).await;
    let mut grpc = request(Method::POST, "/shop.Items/Get");
    let content_type = "application/grpc".parse().unwrap();
    grpc.headers_mut().insert("content-type", content_type);
    let received = server.send(grpc).await;
    assert_eq!(received.header("grpc-status"), Some("13"));
    assert_eq!(
        log.only_event().get("rpc.response.status_code"),
        Some("INTERNAL")
    );
}

// D1
#[tokio::test]
async fn an_attached_websocket_exception_is_reported_once() {
    let log = Log::start();
    let attached = service(|| {
        let exception = WebSocketException::new(CloseCode::POLICY_VIOLATION);
        Ok(Response::<Full<Bytes>>::from(exception))
    });
    let server = Server::start(ExceptionLayer::new().layer(attached)).await;
    assert_eq!(server.get("/").await.status, 403);
    let event = log.only_event();
    assert_eq!(
        event.get("tower_exception.kind"),
        Some("websocket_exception")
    );
    assert_eq!(event.get("http.response.status_code"), Some("403"));
}

// D1
#[tokio::test]
async fn two_unconfigured_layers_report_an_attached_exception_once() {
    let log = Log::start();
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .layer(ExceptionLayer::new());
    let attached = service(|| Ok(Response::<Full<Bytes>>::from(oops())));
    let server = Server::start(layers.service(attached)).await;
    server.get("/").await;
    log.only_event();
}

fn db_gone() -> Response<UnsyncBoxBody<Bytes, BoxError>> {
    Response::new(UnsyncBoxBody::new(first_then(|| Err("db gone".into()))))
}

// D2
#[tokio::test]
async fn an_unconfigured_layer_reports_the_error_of_a_body_once() {
    for protocol in PROTOCOLS {
        let log = Log::start();
        let server = Server::start(ExceptionLayer::new().layer(service(|| Ok(db_gone())))).await;
        let mut client = server.connect(protocol).await;
        client.get("/").await;
        let event = log.only_event();
        assert_eq!(event.level, Level::ERROR, "{protocol:?}");
        assert_eq!(event.get("tower_exception.phase"), Some("body"));
        assert_eq!(event.get("exception.message"), Some("db gone"));
    }
}

// D2, D3
#[tokio::test]
async fn the_error_of_a_body_is_one_event_under_two_layers_and_all_observers_receive_it() {
    let log = Log::start();
    let (outer, mut outer_reports) = observed(ExceptionLayer::new());
    let (inner, mut inner_reports) = observed(ExceptionLayer::new());
    let layers = ServiceBuilder::new().layer(outer).layer(inner);
    let server = Server::start(layers.service(service(|| Ok(db_gone())))).await;
    assert!(server.get("/").await.aborted);
    log.only_event();
    let expected = "Returned Body Aborted: db gone";
    assert_eq!(inner_reports.take(), [expected]);
    assert_eq!(outer_reports.take(), [expected]);
}

// D3
#[tokio::test]
async fn a_failure_that_an_outer_layer_handles_is_one_event_with_its_outcome() {
    let failing = service(|| Err::<Response<Full<Bytes>>, _>(Inner::default().into()));
    let outer = ExceptionLayer::new().on(|_: Caught<Inner>| StatusCode::NOT_FOUND);
    let log = Log::start();
    let layers = ServiceBuilder::new()
        .layer(outer)
        .layer(ExceptionLayer::new());
    let server = Server::start(layers.service(failing)).await;
    assert_eq!(server.get("/").await.status, 404);
    let event = log.only_event();
    assert_eq!(event.level, Level::DEBUG);
    assert_eq!(event.get("http.response.status_code"), Some("404"));
    assert_eq!(event.get("tower_exception.mechanism"), Some("returned"));
}

// D3
#[tokio::test]
async fn a_panic_under_two_layers_is_one_event() {
    for is_inner_configured in [false, true] {
        let failing = service(|| -> Result<Response<Full<Bytes>>, BoxError> { panic!("at sea") });
        let log = Log::start();
        if is_inner_configured {
            let (inner, mut reports) = observed(ExceptionLayer::new());
            let layers = ServiceBuilder::new()
                .layer(ExceptionLayer::new())
                .layer(inner);
            let server = Server::start(layers.service(failing)).await;
            server.get("/").await;
            let expected = "Panicked Future Status(500): panicked: at sea";
            assert_eq!(reports.take(), [expected]);
        } else {
            let layers = ServiceBuilder::new()
                .layer(ExceptionLayer::new())
                .layer(ExceptionLayer::new());
            Server::start(layers.service(failing)).await.get("/").await;
        }
        let event = log.only_event();
        assert_eq!(event.level, Level::ERROR);
    }
}

// D3
#[tokio::test]
async fn observers_of_an_inner_layer_receive_the_outcome_of_an_outer_one() {
    let failing = service(|| Err::<Response<Full<Bytes>>, _>(Inner::default().into()));
    let (inner, mut inner_reports) = observed(ExceptionLayer::new());
    let (outer, mut outer_reports) =
        observed(ExceptionLayer::new().on(|_: Caught<Inner>| StatusCode::NOT_FOUND));
    let layers = ServiceBuilder::new().layer(outer).layer(inner);
    let server = Server::start(layers.service(failing)).await;
    server.get("/").await;
    let expected = "Returned Future Status(404): Inner with a secret";
    assert_eq!(inner_reports.take(), [expected]);
    assert_eq!(outer_reports.take(), [expected]);
}

// D3
#[tokio::test]
async fn a_failure_is_reported_if_a_middleware_drops_the_rendering_of_an_inner_layer() {
    let failing = service(|| Err::<Response<Full<Bytes>>, _>(Inner::default().into()));
    let (inner, mut reports) = observed(ExceptionLayer::new());
    let maintenance = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .map_response(|_| Response::new(Full::<Bytes>::from("back soon")))
        .layer(inner);
    let server = Server::start(maintenance.service(failing)).await;
    assert_eq!(server.get("/").await.text(), "back soon");
    assert_eq!(
        reports.next().await,
        "Returned Future Status(500): Inner with a secret"
    );
}

/// Sends a request and leaves before the response.
async fn leave(server: &Server) {
    let mut client = server.connect(Protocol::Http1).await;
    let sent = client.send(request(Method::GET, "/"));
    let left = tokio::time::timeout(Duration::from_millis(50), sent).await;
    assert!(left.is_err(), "the handler was not waited for");
}

// D4
#[tokio::test]
async fn a_failure_whose_handler_is_dropped_is_reported_as_aborted() {
    for failing in [
        service(|| Err::<Response<Full<Bytes>>, _>(Inner::default().into())),
        service(|| panic!("at sea")),
    ] {
        let slow = |_: Caught| async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            StatusCode::IM_A_TEAPOT
        };
        let (layer, mut reports) = observed(ExceptionLayer::new().on_any(slow));
        let server = Server::start(layer.layer(failing)).await;
        leave(&server).await;
        assert_eq!(reports.next().await.outcome, Outcome::Aborted);
        reports.assert_none();
    }
}

// D4
#[tokio::test]
async fn a_failure_whose_handler_is_dropped_by_an_outer_timeout_is_reported_as_aborted() {
    let slow = |_: Caught<Inner>| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        StatusCode::IM_A_TEAPOT
    };
    let (layer, mut reports) = observed(ExceptionLayer::new().on(slow));
    let failing = service(|| Err::<Response<Full<Bytes>>, _>(Inner::default().into()));
    let layers = ServiceBuilder::new()
        .layer(ExceptionLayer::new())
        .timeout(Duration::from_millis(50))
        .layer(layer);
    let server = Server::start(layers.service(failing)).await;
    assert_eq!(server.get("/").await.status, 504);
    assert_eq!(
        reports.next().await,
        "Returned Future Aborted: Inner with a secret"
    );
}

// D4
#[tokio::test]
async fn an_error_response_that_is_being_read_is_reported_as_aborted() {
    let slow_text = service(|| {
        let text = body(stream::iter([Ok("dead ")]).chain(stream::pending()));
        let response = Response::builder()
            .status(StatusCode::BAD_GATEWAY)
            .header("content-type", "text/plain");
        Ok(response.body(text).unwrap())
    });
    let (layer, mut reports) = observed(ExceptionLayer::new().adopt_error_responses());
    let server = Server::start(layer.layer(slow_text)).await;
    leave(&server).await;
    let report = reports.next().await;
    assert_eq!(report.outcome, Outcome::Aborted);
    assert!(report.failure.starts_with("502"), "{report}");
}

// D8
#[tokio::test]
async fn a_renderer_that_panics_is_logged_as_the_500_that_the_client_received() {
    let log = Log::start();
    let layer = ExceptionLayer::new().with_renderer(
        |_: &HttpException, _: &tower_exception::Caught| -> tower_exception::render::Rendered {
            panic!("no ink")
        },
    );
    let missing = service(|| {
        Err::<Response<Full<Bytes>>, _>(HttpException::not_found("no such item").into())
    });
    let server = Server::start(layer.layer(missing)).await;
    assert_eq!(server.get("/").await.status, 500);
    let events = log.events();
    let statuses: Vec<_> = events
        .iter()
        .map(|event| event.get("http.response.status_code"))
        .collect();
    assert_eq!(statuses, [Some("500"), Some("500")]);
}
