//! Requests that are gRPC, and the responses to them before the first message.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_exception::{
    Caught, CloseCode, ExceptionLayer, GrpcCode, HttpException, Outcome, WebSocketException,
};

use crate::support::{SECRET, SECRET_TEXT, SecretError, observed, panic_hook_runs};

type HttpRequest = Request<Full<Bytes>>;

/// Returns a response in one line: its status, its headers, its body.
async fn line<S, B>(service: S, content_type: &str) -> String
where
    S: Service<HttpRequest, Response = Response<B>, Error = std::convert::Infallible>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::post("/shop.Items/Get")
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::default())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    let mut line = response.status().as_str().to_owned();
    let mut headers: Vec<_> = response.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    // Details depend on the feature `tonic`, and the target `grpc` tests them.
    headers.retain(|(name, _)| *name != "grpc-status-details-bin");
    for (name, value) in headers {
        line += &format!(" | {name}: {}", value.to_str().unwrap());
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    if !body.is_empty() {
        line += &format!(" | {}", String::from_utf8_lossy(&body));
    }
    assert!(!line.contains(SECRET), "{line}");
    line
}

/// Returns a service that fails with the error of `error`.
fn failing<E>(
    error: fn() -> E,
) -> impl Service<HttpRequest, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send> + Clone
where
    E: Into<BoxError> + 'static,
{
    service_fn(move |_: HttpRequest| {
        let error = error().into();
        async move { Err(error) }
    })
}

fn missing() -> HttpException {
    HttpException::not_found("Item not found")
}

const MISSING: &str =
    "200 | content-type: application/grpc | grpc-message: Item not found | grpc-status: 5";

#[tokio::test]
async fn the_response_has_the_content_type_of_the_request() {
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web+json",
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
    ] {
        let expected = MISSING.replace("application/grpc", content_type);
        let plain = ExceptionLayer::new().layer(failing(missing));
        assert_eq!(line(plain, content_type).await, expected);
        let custom = ExceptionLayer::new()
            .capture_headers()
            .layer(failing(missing));
        assert_eq!(line(custom, content_type).await, expected);
    }
    let json = "404 | content-type: application/json | {\"detail\":\"Item not found\"}";
    for content_type in [
        "application/grpcfoo",
        "application/json",
        "application/x-protobuf",
    ] {
        let plain = ExceptionLayer::new().layer(failing(missing));
        assert_eq!(line(plain, content_type).await, json);
    }
}

#[tokio::test]
async fn every_mechanism_becomes_a_status() {
    panic_hook_runs();
    let service = service_fn(|request: HttpRequest| async move {
        match request.headers()["x-way"].to_str() {
            Ok("returned") => Err(missing().into()),
            Ok("attached") => Ok(missing().into()),
            Ok("raised") => missing().raise(),
            Ok("raised-async") => missing().raise_async().await,
            Ok("panicked") => panic!("{SECRET_TEXT}"),
            _ => Err::<Response<Full<Bytes>>, BoxError>(SecretError.into()),
        }
    });
    const INTERNAL: &str = "200 | content-type: application/grpc | \
                            grpc-message: Internal Server Error | grpc-status: 13";
    for (way, expected) in [
        ("returned", MISSING),
        ("attached", MISSING),
        ("raised", MISSING),
        ("raised-async", MISSING),
        ("panicked", INTERNAL),
        ("error", INTERNAL),
    ] {
        let with_way = tower::util::MapRequestLayer::new(move |mut request: HttpRequest| {
            let headers = request.headers_mut();
            headers.insert("x-way", HeaderValue::from_static(way));
            request
        });
        let plain = with_way.layer(ExceptionLayer::new().layer(service));
        assert_eq!(
            line(plain, "application/grpc").await,
            expected,
            "{way}, plain"
        );
        let custom = ExceptionLayer::new().observe(|_: &Caught, _| {});
        let custom = with_way.layer(custom.layer(service));
        assert_eq!(
            line(custom, "application/grpc").await,
            expected,
            "{way}, custom"
        );
    }
}

#[tokio::test]
async fn headers_are_metadata_except_reserved_ones() {
    fn with_headers() -> HttpException {
        let mut exception = HttpException::unauthorized("Grüße");
        for (name, value) in [
            ("x-reason", "no token"),
            ("x-trace-bin", "AQID"),
            ("www-authenticate", "Bearer"),
            ("grpc-retry-pushback-ms", "1500"),
            ("grpc-status", "0"),
            ("grpc-timeout", "1S"),
            ("content-type", "text/html"),
            ("content-length", "7"),
            ("content-encoding", "gzip"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("trailer", "grpc-status"),
            ("user-agent", "me"),
        ] {
            exception = exception.try_with_header(name, value).unwrap();
        }
        exception
            .try_with_header("x-latin", &b"caf\xe9"[..])
            .unwrap()
    }
    let expected = "200 | content-type: application/grpc+proto | \
                    grpc-message: Gr%C3%BC%C3%9Fe | grpc-retry-pushback-ms: 1500 | \
                    grpc-status: 16 | www-authenticate: Bearer | x-reason: no token | \
                    x-trace-bin: AQID";
    let layer = ExceptionLayer::new();
    let returned = layer.layer(failing(with_headers));
    assert_eq!(line(returned, "application/grpc+proto").await, expected);
    let attached = layer.layer(service_fn(async |_: HttpRequest| {
        Ok::<Response<Full<Bytes>>, BoxError>(with_headers().into())
    }));
    assert_eq!(line(attached, "application/grpc+proto").await, expected);
}

#[tokio::test]
async fn retry_after_becomes_a_pushback() {
    for (retry_after, own, expected) in [
        ("2", None, Some("2000")),
        ("2", Some("5"), Some("5")),
        ("65535", None, Some("65535000")),
        ("65536", None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, None),
    ] {
        let mut exception = HttpException::service_unavailable("soon")
            .try_with_header("retry-after", retry_after)
            .unwrap();
        if let Some(own) = own {
            exception = exception
                .try_with_header("grpc-retry-pushback-ms", own)
                .unwrap();
        }
        let service = service_fn(move |_: HttpRequest| {
            let exception = exception.clone();
            async move { Err::<Response<Full<Bytes>>, _>(exception) }
        });
        let pushback = expected.map(|value| format!("grpc-retry-pushback-ms: {value} | "));
        assert_eq!(
            line(ExceptionLayer::new().layer(service), "application/grpc").await,
            format!(
                "200 | content-type: application/grpc | grpc-message: soon | \
                 {}grpc-status: 14 | retry-after: {retry_after}",
                pushback.unwrap_or_default()
            )
        );
    }
}

#[tokio::test]
async fn a_json_detail_is_the_message() {
    let service = failing(|| HttpException::conflict(json!({ "left": 1 })));
    let received = line(ExceptionLayer::new().layer(service), "application/grpc").await;
    assert!(
        received.contains(r#"grpc-message: {"left":1}"#) && received.contains("grpc-status: 10"),
        "{received}"
    );
}

#[tokio::test]
async fn a_websocket_exception_is_permission_denied() {
    let service =
        failing(|| WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("no swearing"));
    assert_eq!(
        line(ExceptionLayer::new().layer(service), "application/grpc").await,
        "200 | content-type: application/grpc | grpc-message: no swearing | grpc-status: 7"
    );
}

#[tokio::test]
async fn handlers_apply_and_the_renderer_does_not() {
    let layer = ExceptionLayer::new()
        .with_renderer(
            |_: &HttpException, _: &_| -> tower_exception::render::Rendered {
                panic!("{SECRET_TEXT}")
            },
        )
        .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
            exception.clone().with_detail("look elsewhere")
        });
    assert_eq!(
        line(layer.layer(failing(missing)), "application/grpc").await,
        MISSING.replace("Item not found", "look elsewhere")
    );
}

#[tokio::test]
async fn a_response_as_a_reply_becomes_a_status() {
    fn response(content_type: &str, body: &str) -> Response<Full<Bytes>> {
        Response::builder()
            .status(StatusCode::IM_A_TEAPOT)
            .header(header::CONTENT_TYPE, content_type)
            .header("x-tea", "green")
            .body(Full::from(body.to_owned()))
            .unwrap()
    }
    for (content_type, body, message) in [
        ("text/plain", "Oops", "Oops"),
        ("Text/Plain; charset=utf-8", "Oops", "Oops"),
        ("text/plain", "", "I'm a teapot"),
        ("text/html", "<h1>Oops</h1>", "I'm a teapot"),
        ("application/json", r#"{"detail":"Oops"}"#, "Oops"),
        (
            "application/json",
            r#"{"message":"Oops"}"#,
            r#"{"message":"Oops"}"#,
        ),
        (
            "application/problem+json",
            r#"{"detail":"O","title":"T"}"#,
            r#"{"detail":"O","title":"T"}"#,
        ),
        ("application/json", "{", "I'm a teapot"),
    ] {
        let layer = ExceptionLayer::new().on_any(move |_: Caught| response(content_type, body));
        assert_eq!(
            line(layer.layer(failing(missing)), "application/grpc-web").await,
            format!(
                "200 | content-type: application/grpc-web | grpc-message: {message} | \
                 grpc-status: 9 | x-tea: green"
            ),
            "{content_type}: {body}"
        );
    }
    let own = ExceptionLayer::new().on_any(|_: Caught| response("application/grpc", "message"));
    assert_eq!(
        line(own.layer(failing(missing)), "application/grpc").await,
        "418 | content-type: application/grpc | x-tea: green | message"
    );
}

#[tokio::test]
async fn an_adopted_404_is_unimplemented() {
    for (status, expected) in [
        (
            StatusCode::NOT_FOUND,
            "grpc-message: Not Implemented | grpc-status: 12",
        ),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            "grpc-message: Not Implemented | grpc-status: 12",
        ),
        (
            StatusCode::UNAUTHORIZED,
            "grpc-message: Unauthorized | grpc-status: 16",
        ),
    ] {
        let service = service_fn(move |_: HttpRequest| async move {
            let mut response = Response::new(Full::<Bytes>::default());
            *response.status_mut() = status;
            Ok::<_, BoxError>(response)
        });
        let service = ExceptionLayer::new().adopt_error_responses().layer(service);
        assert_eq!(
            line(service, "application/grpc").await,
            format!("200 | content-type: application/grpc | {expected}")
        );
    }
}

#[tokio::test]
async fn an_outer_layer_handles_a_provisional_status() {
    let outer = ExceptionLayer::new().on(|_: Caught<SecretError>| HttpException::gone("sold out"));
    let service = outer.layer(ExceptionLayer::new().layer(failing(|| SecretError)));
    assert_eq!(
        line(service, "application/grpc").await,
        "200 | content-type: application/grpc | grpc-message: sold out | grpc-status: 5"
    );
}

#[tokio::test]
async fn the_code_is_reported() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    line(layer.clone().layer(failing(missing)), "application/grpc").await;
    let not_found = Outcome::Grpc(GrpcCode::NotFound);
    assert_eq!(reports.next().await.outcome, not_found);
    let attached = ExceptionLayer::new().layer(failing(missing));
    line(layer.clone().layer(attached), "application/grpc-web").await;
    let not_found = Outcome::Grpc(GrpcCode::NotFound);
    assert_eq!(reports.next().await.outcome, not_found);
    line(layer.layer(failing(missing)), "application/json").await;
    let not_found = Outcome::Status(StatusCode::NOT_FOUND);
    assert_eq!(reports.next().await.outcome, not_found);
}

/// tonic parses the head as its own.
#[tokio::test]
async fn tonic_parses_the_status() {
    let exception = || {
        HttpException::not_found(" 100% Grüße\n").with_header(
            header::HeaderName::from_static("x-shelf"),
            HeaderValue::from_static("7"),
        )
    };
    let request = Request::post("/").header(header::CONTENT_TYPE, "application/grpc");
    let response = ExceptionLayer::new()
        .layer(failing(exception))
        .oneshot(request.body(Full::default()).unwrap());
    let headers: HeaderMap = response.await.unwrap().headers().clone();
    let status = tonic::Status::from_header_map(&headers).unwrap();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(status.message(), " 100% Grüße\n");
    assert_eq!(status.metadata().get("x-shelf").unwrap(), "7");
}
