//! tonic's `Status`: one that a service gives, and those that tonic makes of errors.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tonic::{Code, Request, Status, body::Body};
use tonic_web::GrpcWebLayer;
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};
use tower_exception::{Answer, Caught, ExceptionLayer, GrpcCode, HttpException};

use crate::{
    calls::{Kind, assert_status, call},
    client,
    common::{SECRET, SecretError, Server, within},
    faults::{Fault, Position, Way, exception},
    generated::{ItemId, items_server::ItemsServer},
    handlers::{clients, serve, status},
    server::{Shop, item},
};

/// What no handler takes is left as it is, and is observed nevertheless.
#[tokio::test]
async fn of_a_handler() {
    let (told, heard) = std::sync::mpsc::channel();
    let layer = ExceptionLayer::new().observe(move |_: &Caught, answer| {
        told.send(answer).unwrap();
    });
    let server = serve(layer).await;
    for mut client in clients(&server) {
        assert_status(&status(&mut client, Way::Status).await, Way::Status);
        let told: Vec<_> = heard.try_iter().collect();
        assert_eq!(told, [Answer::Grpc(GrpcCode::DataLoss)]);
    }
}

/// tonic writes it out itself, and no layer sees it.
#[tokio::test]
async fn of_a_stream() {
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

/// Also to one that `?` has made of an exception, which is its source.
#[tokio::test]
async fn handlers_apply() {
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

/// More than tonic's client takes.
#[tokio::test]
async fn of_an_exception_with_a_long_detail() {
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

/// The head and the body of what is answered to a request of this content type.
async fn answer<S, B>(service: S, content_type: &str) -> (http::response::Parts, Bytes)
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

/// `Status::into_http`, from a service or from a handler.
#[tokio::test]
async fn the_response_of_a_status_is_json_to_who_does_not_speak_grpc() {
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
    let (head, body) = answer(service.clone(), "application/json").await;
    assert_eq!((head.status.as_u16(), &body[..]), (404, &json[..]));
    assert!(!head.headers.contains_key("grpc-status"));
    let (head, body) = answer(by_handler.clone(), "application/json").await;
    assert_eq!((head.status.as_u16(), &body[..]), (404, &json[..]));
    let (head, _) = answer(service, "application/grpc").await;
    assert_eq!(head.headers["grpc-status"], "5");
    let (head, _) = answer(by_handler, "application/grpc").await;
    assert_eq!(head.headers["grpc-status"], "5");
}

/// tonic's and tonic-web's bodies make a status with an error's text of every error.
#[tokio::test]
async fn an_error_of_a_body_is_not_told_by_way_of_tonic() {
    let failing = || {
        service_fn(async |_: http::Request<Body>| {
            let body = stream::iter([Err::<http_body::Frame<Bytes>, BoxError>(SecretError.into())]);
            let body = Body::new(http_body_util::StreamBody::new(body));
            let response = http::Response::builder().header("content-type", "application/grpc");
            Ok::<_, Infallible>(response.body(body).unwrap())
        })
    };
    let request = |content_type: &'static str| {
        let request = http::Request::post("/").header(header::CONTENT_TYPE, content_type);
        request.body(Body::empty()).unwrap()
    };
    let service = ExceptionLayer::new().layer(failing());
    let response = service.oneshot(request("application/grpc")).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    let trailers: &HeaderMap = collected.trailers().unwrap();
    assert_status(&Status::from_header_map(trailers).unwrap(), Way::Error);

    let service = ExceptionLayer::new().layer(GrpcWebLayer::new().layer(failing()));
    let (_, body) = answer(service, "application/grpc-web").await;
    let text = String::from_utf8(body[5..].to_vec()).unwrap();
    assert_eq!(
        text,
        "grpc-message:Internal Server Error\r\ngrpc-status:13\r\n"
    );
}

/// Outside of a `GrpcWebLayer` and inside of it.
#[tokio::test]
async fn beside_tonic_web() {
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
        let answers = [
            answer(inside.clone(), content_type).await,
            answer(outside.clone(), content_type).await,
        ];
        for (head, body) in answers {
            assert!(body.is_empty());
            assert_eq!(head.status, 200);
            let status = Status::from_header_map(&head.headers).unwrap();
            assert_status(&status, Way::Returned);
        }
    }
}
