//! tonic's `Status`: one that a service returns, and those that tonic makes of errors.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use tonic::{Code, Request, Status, body::Body};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};
use tower_exception::{Caught, ExceptionLayer, GrpcCode, HttpException, Outcome};

use crate::{
    calls::{Kind, assert_status, call},
    client,
    faults::{Fault, Position, Way, exception},
    generated::{ItemId, items_server::ItemsServer},
    handlers::{clients, serve, status},
    server::{Shop, item},
    support::{SECRET, SecretError, Server, observed, within},
};

/// A status that no handler matches passes unchanged, and is reported.
#[tokio::test]
async fn the_status_of_a_handler_passes_unchanged() {
    let (layer, mut reports) = observed(ExceptionLayer::new());
    let server = serve(layer).await;
    for mut client in clients(&server) {
        assert_status(&status(&mut client, Way::Status).await, Way::Status);
        let reports = reports.take().into_iter();
        let outcomes: Vec<_> = reports.map(|report| report.outcome).collect();
        assert_eq!(outcomes, [Outcome::Grpc(GrpcCode::DataLoss)]);
    }
}

/// tonic writes the trailers itself, and no layer sees the status.
#[tokio::test]
async fn the_status_of_a_stream_passes_unchanged() {
    let layer = ExceptionLayer::new().on_any(|_: Caught| StatusCode::NOT_IMPLEMENTED);
    let server = serve(layer).await;
    let (way, position) = (Way::Status, Position::Between);
    for mut client in clients(&server) {
        let fault = Fault { way, position };
        let (items, status) = within(call(&mut client, Kind::ServerStreaming, fault)).await;
        assert_eq!(items, [item(1)]);
        assert_status(&status, way);
    }
}

/// They also apply to a status that `?` has made of an exception, which is its source.
#[tokio::test]
async fn handlers_apply_to_a_status() {
    let layer = ExceptionLayer::new()
        .on_status(StatusCode::NOT_FOUND, |exception: Caught<HttpException>| {
            exception.clone().with_detail("look elsewhere")
        })
        .on(|status: Caught<Status>| {
            let message = format!("{}, come back", status.message());
            HttpException::from(Status::aborted(message))
        });
    let server = serve(layer).await;
    for mut client in clients(&server) {
        for (way, expected) in [
            (Way::Returned, (Code::NotFound, "look elsewhere")),
            (Way::Status, (Code::Aborted, "sold out, come back")),
        ] {
            let status = status(&mut client, way).await;
            assert_eq!((status.code(), status.message()), expected);
        }
    }
}

/// An exception's detail is for the client, also if a source of the exception has the same text.
#[tokio::test]
async fn the_detail_of_an_exception_may_be_the_text_of_its_source() {
    let interceptor = |_: Request<()>| -> Result<_, Status> {
        let source = std::io::Error::other("out of stock");
        Err(HttpException::conflict(source.to_string()).with_source(source))?
    };
    let service = ItemsServer::with_interceptor(Shop::default(), interceptor);
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let mut client = client::grpc(server.address());
    let status = within(client.get(ItemId::default())).await.unwrap_err();
    let got = (status.code(), status.message());
    assert_eq!(got, (Code::Aborted, "out of stock"));
}

/// The detail is longer than tonic's client accepts.
#[tokio::test]
async fn the_status_of_an_exception_with_a_long_detail_is_cut() {
    let interceptor = |_: Request<()>| -> Result<_, Status> {
        let detail = serde_json::json!(["ü".repeat(20_000)]);
        Err(HttpException::not_found(detail))?
    };
    let service = ItemsServer::with_interceptor(Shop::default(), interceptor);
    let server = Server::start(ExceptionLayer::new().layer(service)).await;
    let mut client = client::grpc(server.address());
    let status = within(client.get(ItemId::default())).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
    let message = status.message().strip_suffix("...").unwrap();
    assert!(message.starts_with("[\"ü"), "{message}");
    assert!(message.len() > 2_000, "{message}");
}

/// Returns the head and the body of the response to a request with this content type.
async fn response_of<S, B>(service: S, content_type: &str) -> (http::response::Parts, Bytes)
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let request = http::Request::post("/shop.Shop/Get").header(header::CONTENT_TYPE, content_type);
    let response = service.oneshot(request.body(Body::empty()).unwrap());
    let (head, body) = response.await.unwrap().into_parts();
    let body = body.collect().await.map_err(Into::into).unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&body).contains(SECRET));
    (head, body)
}

/// The response is made by `Status::into_http`, in a service or in a handler.
#[tokio::test]
async fn the_response_of_a_status_is_json_for_other_clients() {
    let status = || Status::not_found("sold out").into_http::<Full<Bytes>>();
    let service =
        service_fn(move |_: http::Request<Body>| async move { Ok::<_, Infallible>(status()) });
    let service = ExceptionLayer::new()
        .observe(|_: &Caught, _| {})
        .layer(service);
    let failing = service_fn(async |_: http::Request<Body>| {
        Err::<http::Response<Full<Bytes>>, _>(SecretError)
    });
    let by_handler = ExceptionLayer::new()
        .on_any(move |_: Caught| status())
        .layer(failing);
    let json = br#"{"detail":"sold out"}"#;
    let (head, body) = response_of(service.clone(), "application/json").await;
    assert_eq!((head.status.as_u16(), &body[..]), (404, &json[..]));
    assert!(!head.headers.contains_key("grpc-status"));
    let (head, body) = response_of(by_handler.clone(), "application/json").await;
    assert_eq!((head.status.as_u16(), &body[..]), (404, &json[..]));
    let (head, _) = response_of(service, "application/grpc").await;
    assert_eq!(head.headers["grpc-status"], "5");
    let (head, _) = response_of(by_handler, "application/grpc").await;
    assert_eq!(head.headers["grpc-status"], "5");
}

/// The bodies of tonic and tonic-web make a status of every error, with the text of the error.
#[tokio::test]
async fn the_text_of_a_bodys_error_does_not_pass_through_tonic() {
    let failing = || {
        service_fn(async |_: http::Request<Body>| {
            let body = stream::iter([Err::<http_body::Frame<Bytes>, BoxError>(SecretError.into())]);
            let body = Body::new(http_body_util::StreamBody::new(body));
            let response = http::Response::builder().header("content-type", "application/grpc");
            Ok::<_, Infallible>(response.body(body).unwrap())
        })
    };
    let request = |content_type: &'static str| {
        let request = http::Request::post("/")
            .version(Version::HTTP_2)
            .header(header::CONTENT_TYPE, content_type);
        request.body(Body::empty()).unwrap()
    };
    let service = ExceptionLayer::new().layer(failing());
    let response = service.oneshot(request("application/grpc")).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    let trailers: &HeaderMap = collected.trailers().unwrap();
    assert_status(&Status::from_header_map(trailers).unwrap(), Way::Error);

    let service = ExceptionLayer::new().layer(GrpcWebLayer::new().layer(failing()));
    let (_, body) = response_of(service, "application/grpc-web").await;
    let text = String::from_utf8(body[5..].to_vec()).unwrap();
    assert_eq!(
        text,
        "grpc-message:Internal Server Error\r\ngrpc-status:13\r\n"
    );
}

/// The layer is outside of a `GrpcWebLayer`, and inside of it.
#[tokio::test]
async fn the_layer_works_with_tonic_web() {
    let missing = || {
        service_fn(async |_: http::Request<Body>| -> Result<_, BoxError> {
            Err::<http::Response<Body>, _>(exception().into())
        })
    };
    let inside = GrpcWebLayer::new().layer(ExceptionLayer::new().layer(missing()));
    let attached = service_fn(async |_: http::Request<Body>| {
        let response: http::Response<Full<Bytes>> = exception().into();
        Ok::<_, Infallible>(response)
    });
    let outside = ExceptionLayer::new().layer(GrpcWebLayer::new().layer(attached));
    for content_type in [
        "application/grpc-web+proto",
        "application/grpc-web-text+proto",
    ] {
        let responses = [
            response_of(inside.clone(), content_type).await,
            response_of(outside.clone(), content_type).await,
        ];
        for (head, body) in responses {
            assert!(body.is_empty());
            assert_eq!(head.status, 200);
            let status = Status::from_header_map(&head.headers).unwrap();
            assert_status(&status, Way::Returned);
        }
    }
}
