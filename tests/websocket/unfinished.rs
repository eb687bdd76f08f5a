//! Applications that do not finish what they have begun.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tokio::sync::mpsc;
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_exception::UpgradeHandle;

use crate::support::*;

type Answered = Result<Response<Empty<Bytes>>, BoxError>;

#[tokio::test]
async fn the_connection_is_never_asked_for() {
    let (layer, mut told) = observed(upgrades());
    let app = service_fn(async |request: Request<Incoming>| -> Answered { Ok(accepted(&request)) });
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1000, ""));
    }
    all_closed(&layer).await;
    told.assert_nothing_else();
}

/// It is kept, and not awaited: that is a live connection, which can be closed.
#[tokio::test]
async fn the_connection_is_never_taken() {
    let kept = Arc::new(Mutex::new(Vec::<OnUpgrade>::new()));
    let layer = upgrades();
    let app = {
        let kept = kept.clone();
        service_fn(move |mut request: Request<Incoming>| {
            kept.lock().unwrap().push(hyper::upgrade::on(&mut request));
            std::future::ready(Answered::Ok(accepted(&request)))
        })
    };
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(layer.upgrades().count(), 1);
        let upgrades = layer.upgrades();
        let (close, ()) = tokio::join!(closed(&mut client), upgrades.close_all(no_swearing()));
        assert_eq!(close, code(1008, "no swearing"));
        all_closed(&layer).await;
        let late = kept.lock().unwrap().pop().unwrap();
        drop(within(late).await);
    }
}

/// Whoever awaits the upgrade is told that there is none.
#[tokio::test]
async fn the_handshake_is_refused_while_the_upgrade_is_awaited() {
    let (sender, mut errors) = mpsc::unbounded_channel();
    let layer = upgrades();
    let app = service_fn(move |mut request: Request<Incoming>| {
        let upgrade = hyper::upgrade::on(&mut request);
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(upgrade.await.is_err()).unwrap() });
        async move {
            match request.uri().path() {
                "/returned" => Err(no_swearing().into()),
                "/panicked" => panic!("{SECRET_TEXT}"),
                _ => {
                    let mut response = Response::new(Empty::new());
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    Answered::Ok(response)
                }
            }
        }
    });
    let address = serve(layer.layer(app)).await;
    for (path, status) in [("/", 400), ("/panicked", 500)] {
        let mut client = Raw::connect(address).await;
        let head = client.ask(&handshake(path, &[])).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(within(errors.recv()).await.unwrap());
        assert_eq!(layer.upgrades().count(), 0);
        let response = extended_connect(address, path, &[]).await;
        assert_eq!(response.status(), status);
        assert!(within(errors.recv()).await.unwrap());
    }
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/returned").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        let _is_err = within(errors.recv()).await.unwrap();
    }
    all_closed(&layer).await;
}

/// Something of it has failed before there is a connection.
#[tokio::test]
async fn the_task_fails_before_the_handshake_is_answered() {
    let (layer, mut told) = observed(upgrades());
    let app = service_fn(async |request: Request<Incoming>| -> Answered {
        let handle = UpgradeHandle::of(&request).unwrap();
        let first = handle.clone().catch(async |()| Err(no_swearing().into()));
        first(()).await;
        let second = handle.catch(async |()| Err(SecretError.into()));
        second(()).await;
        let mut response = accepted(&request);
        if request.uri().path() == "/refused" {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        Ok(response)
    });
    let second = format!("Returned Upgraded CutShort: {SECRET_TEXT}");
    let address = serve(layer.layer(app)).await;
    for protocol in PROTOCOLS {
        let mut client = connect_over(protocol, address, "/").await;
        assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
        let first = "Returned Upgraded Close(1008): 1008: no swearing";
        assert_eq!(told.all(), [&second, first]);
    }
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/refused", &[])).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let first = "Returned Upgraded CutShort: 1008: no swearing";
    assert_eq!(told.all(), [&second, first]);
    all_closed(&layer).await;
}

/// A connection that stays HTTP after all is good for other requests.
#[tokio::test]
async fn a_refusal_by_http_leaves_the_connection_to_others() {
    let layer = upgrades().reject_with_http(StatusCode::FORBIDDEN);
    let app = service_fn(async |request: Request<Incoming>| -> Answered {
        match UpgradeHandle::of(&request) {
            Some(_) => Err(no_swearing().into()),
            None => Ok(Response::new(Empty::new())),
        }
    });
    let address = serve(layer.layer(app)).await;
    let mut client = Raw::connect(address).await;
    for _ in 0..3 {
        let head = client.ask(&handshake("/", &[])).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
        client.take(r#"{"detail":"no swearing"}"#.len()).await;
        let head = client.ask("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

/// Somebody further out answers in the application's place.
#[tokio::test]
async fn the_answer_is_replaced_further_out() {
    let layer = upgrades();
    let app = ServiceBuilder::new()
        .map_response(|_| {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        })
        .layer(layer.clone())
        .service(accepting(async |_io| {}));
    let address = serve(app).await;
    let mut client = Raw::connect(address).await;
    let head = client.ask(&handshake("/", &[])).await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    drop(client);
    all_closed(&layer).await;
}
