//! Section A: a response that a middleware has replaced, and a handler's reply, are final.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_exception::{
    Caught, ExceptionBody, ExceptionLayer, HttpException, config::Configured, render::Rendered,
};

use crate::support::{BoxError, Received, SECRET_TEXT, SecretError, Server, request};

type Replace = fn(Response<ExceptionBody<Full<Bytes>>>) -> Response<Full<Bytes>>;

/// Outer layers that would render an exception in another way.
fn outer_layers() -> [ExceptionLayer<Configured>; 3] {
    let text = |exception: &HttpException, _: &Caught| {
        Rendered::new("text/plain".parse().unwrap(), exception.to_string())
    };
    let teapot = |_: Caught<HttpException>| StatusCode::IM_A_TEAPOT;
    [
        ExceptionLayer::new().with_renderer(text),
        ExceptionLayer::new()
            .on_status(StatusCode::INTERNAL_SERVER_ERROR, teapot)
            .on_status(StatusCode::NOT_FOUND, teapot),
        ExceptionLayer::new().on_any(|_: Caught| StatusCode::IM_A_TEAPOT),
    ]
}

/// Returns the response of an exception that `replace` has replaced, under `outer`.
async fn replaced(outer: ExceptionLayer<Configured>, fail: Fail, replace: Replace) -> Received {
    let failing = service_fn(move |_: Request<Incoming>| async move { fail() });
    let inner = ExceptionLayer::new().layer(failing);
    let middleware = ServiceBuilder::new().map_response(replace).service(inner);
    Server::start(outer.layer(middleware)).await.get("/").await
}

type Fail = fn() -> Result<Response<Full<Bytes>>, BoxError>;

fn every_failure() -> [Fail; 4] {
    [
        || Err(HttpException::internal_server_error(SECRET_TEXT).into()),
        || Ok(HttpException::internal_server_error(SECRET_TEXT).into()),
        || Err(SecretError.into()),
        || panic!("{SECRET_TEXT}"),
    ]
}

// A4
#[tokio::test]
async fn a_sanitised_body_stays_sanitised() {
    for outer in outer_layers() {
        for fail in every_failure() {
            let received = replaced(outer.clone(), fail, |response| {
                let (head, _) = response.into_parts();
                Response::from_parts(head, Full::from("{\"detail\":\"oops\"}"))
            })
            .await;
            assert_eq!(received.status, 500);
            assert_eq!(received.text(), "{\"detail\":\"oops\"}");
        }
    }
}

// A4
#[tokio::test]
async fn an_index_page_in_place_of_a_404_stays() {
    for outer in outer_layers() {
        let received = replaced(
            outer,
            || Err(HttpException::not_found("no such page").into()),
            |response| {
                let (mut head, _) = response.into_parts();
                head.status = StatusCode::OK;
                let html = "text/html".parse().unwrap();
                head.headers.insert("content-type", html);
                Response::from_parts(head, Full::from("<h1>home</h1>"))
            },
        )
        .await;
        assert_eq!(
            (received.status.as_u16(), received.text()),
            (200, "<h1>home</h1>")
        );
        assert_eq!(received.header("content-type"), Some("text/html"));
    }
}

// A4
#[tokio::test]
async fn an_encoded_body_is_not_decoded_or_rendered_again() {
    for outer in outer_layers() {
        let received = replaced(
            outer,
            || Err(HttpException::not_found("no such page").into()),
            |response| {
                let (mut head, _) = response.into_parts();
                let encoding = "br".parse().unwrap();
                head.headers.insert("content-encoding", encoding);
                // As long as the rendering.
                Response::from_parts(head, Full::from("0123456789012345678901234"))
            },
        )
        .await;
        assert_eq!(received.header("content-encoding"), Some("br"));
        assert!(received.text().starts_with("0123"));
    }
}

// A4
#[tokio::test]
async fn a_grpc_status_that_a_middleware_has_set_stays() {
    for outer in outer_layers() {
        let failing = service_fn(|_: Request<Incoming>| async {
            Err::<Response<Full<Bytes>>, _>(HttpException::internal_server_error(SECRET_TEXT))
        });
        let inner = ExceptionLayer::new().layer(failing);
        let middleware = ServiceBuilder::new()
            .map_response(|mut response: Response<ExceptionBody<Full<Bytes>>>| {
                let message = "oops".parse().unwrap();
                response.headers_mut().insert("grpc-message", message);
                response
            })
            .service(inner);
        let server = Server::start(outer.layer(middleware)).await;
        let mut grpc = request(Method::POST, "/shop.Items/Get");
        let content_type = "application/grpc".parse().unwrap();
        grpc.headers_mut().insert("content-type", content_type);
        let received = server.send(grpc).await;
        assert_eq!(received.header("grpc-message"), Some("oops"));
        assert_eq!(received.header("grpc-status"), Some("13"));
    }
}

// A4
#[tokio::test]
async fn a_response_that_only_got_headers_is_still_provisional() {
    let received = replaced(
        ExceptionLayer::new().on_any(|_: Caught| StatusCode::IM_A_TEAPOT),
        || Err(HttpException::not_found("no such page").into()),
        |response| {
            let (mut head, body) = response.into_parts();
            let id = "7".parse().unwrap();
            head.headers.insert("x-request-id", id);
            // A body of equal length.
            drop(body);
            Response::from_parts(head, Full::from("{\"detail\":\"no such page\"}"))
        },
    )
    .await;
    assert_eq!(received.status, 418);
    // E4
    assert_eq!(received.header("x-request-id"), Some("7"));
}

// A7
#[tokio::test]
async fn a_handlers_reply_is_not_adopted_by_an_outer_layer() {
    let failing = service_fn(|_: Request<Incoming>| async {
        Err::<Response<Full<Bytes>>, _>(HttpException::not_found("no such page"))
    });
    let inner = ExceptionLayer::new()
        .on(|_: Caught<HttpException>| (StatusCode::IM_A_TEAPOT, "final text"));
    let outer = ExceptionLayer::new()
        .adopt_error_responses()
        .on_status(StatusCode::IM_A_TEAPOT, |_: Caught<HttpException>| {
            StatusCode::CONFLICT
        });
    let layers = ServiceBuilder::new().layer(outer).layer(inner);
    let received = Server::start(layers.service(failing)).await.get("/").await;
    assert_eq!(
        (received.status.as_u16(), received.text()),
        (418, "final text")
    );
}

// E4
#[tokio::test]
async fn headers_of_layers_in_between_stay_with_a_handlers_reply() {
    type Reply = fn(Caught<HttpException>) -> Response<Full<Bytes>>;
    let replies: [Reply; 2] = [
        |_| Response::new(Full::from("handled")),
        |exception| {
            let exception = exception.clone().with_detail("handled");
            Response::<Full<Bytes>>::from(exception)
        },
    ];
    for (which, reply) in replies.into_iter().enumerate() {
        let failing = service_fn(|_: Request<Incoming>| async {
            let exception = HttpException::not_found("no such page")
                .try_with_header("x-own", "exception")
                .unwrap();
            Ok::<_, BoxError>(Response::<Full<Bytes>>::from(exception))
        });
        let between = ServiceBuilder::new().map_response(|mut response: Response<_>| {
            for (name, value) in [
                ("set-cookie", "session=1"),
                ("access-control-allow-origin", "*"),
                ("x-own", "layer"),
                ("etag", "\"old\""),
            ] {
                response.headers_mut().append(name, value.parse().unwrap());
            }
            response
        });
        let layer = ExceptionLayer::new().on(reply);
        let server = Server::start(layer.layer(between.service(failing))).await;
        let received = server.get("/").await;
        assert!(received.text().contains("handled"), "{which}");
        assert_eq!(received.header("set-cookie"), Some("session=1"));
        assert_eq!(received.header("access-control-allow-origin"), Some("*"));
        let own: Vec<_> = received.headers.get_all("x-own").iter().collect();
        // The handler decides on the exception's own header.
        match which {
            0 => assert_eq!(own, ["layer"]),
            _ => assert_eq!(own, ["exception"]),
        }
    }
}

// E4
#[tokio::test]
async fn the_readmes_handler_keeps_the_headers_of_the_exception_and_of_layers_in_between() {
    use tower_http::set_header::SetResponseHeaderLayer;

    async fn secret() -> Result<(), HttpException> {
        let exception = HttpException::unauthorized("who are you?");
        Err(exception
            .try_with_header("www-authenticate", "Bearer")
            .unwrap()
            .try_with_header("retry-after", "7")
            .unwrap())
    }
    let cookie = SetResponseHeaderLayer::appending(
        http::header::SET_COOKIE,
        http::HeaderValue::from_static("session=1"),
    );
    let app = axum::Router::new()
        .route("/secret", axum::routing::get(secret))
        .layer(cookie)
        .layer(
            // As in the README.
            ExceptionLayer::new()
                .adopt_error_responses()
                .on(|exception: Caught<HttpException>| {
                    let headers = exception.headers().clone();
                    let detail = exception.detail_or_reason().to_string();
                    (exception.status(), headers, detail)
                }),
        );
    let server = Server::start_axum(app).await;
    let received = server.get("/secret").await;
    assert_eq!(
        (received.status.as_u16(), received.text()),
        (401, "who are you?")
    );
    assert_eq!(received.header("www-authenticate"), Some("Bearer"));
    assert_eq!(received.header("retry-after"), Some("7"));
    assert_eq!(received.header("set-cookie"), Some("session=1"));
    // An adopted 404 keeps the cookie of the layer in between, too.
    let received = server.get("/nowhere").await;
    assert_eq!(
        (received.status.as_u16(), received.text()),
        (404, "Not Found")
    );
    let cookies: Vec<_> = received.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["session=1"]);
}
