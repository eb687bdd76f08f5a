//! The id in a response, an event and a report, for each way of failing and each kind of answer.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use tower::Layer;
use tower::service_fn;
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Ids, Outcome, Reply,
    config::{Configured, LayerConfig},
};

use crate::{
    EXITS, ID, fail, get, id_of, is_uuid_v7, layer, serve,
    support::{Server, log::Log, request},
};

/// The ids that an observer has received.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Option<String>>>>);

impl Seen {
    fn observe(&self, layer: ExceptionLayer<impl LayerConfig>) -> ExceptionLayer<Configured> {
        let Self(ids) = self.clone();
        layer.observe(move |caught: &Caught, _: Outcome| {
            ids.lock().unwrap().push(caught.id().map(str::to_owned));
        })
    }

    fn take(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn a_client_the_log_and_an_observer_have_the_same_id() {
    let seen = Seen::default();
    let server = serve(seen.observe(layer())).await;
    for path in EXITS {
        for headers in [&[("x-request-id", ID)][..], &[]] {
            let log = Log::start();
            let received = server.send(get(path, headers)).await;
            assert!(!received.text().contains("hunter2"));
            let id = id_of(&received);
            match headers {
                [] => assert!(is_uuid_v7(&id)),
                _ => assert_eq!(id, ID),
            }
            assert_eq!(
                log.only_event().get("tower_exception.id"),
                Some(&*id),
                "{path}"
            );
            assert_eq!(seen.take(), [Some(id)], "{path}");
        }
    }
    let received = server.send(get("/fine", &[("x-request-id", ID)])).await;
    assert_eq!(
        (received.text(), received.header("x-request-id")),
        ("fine", None)
    );
    assert!(seen.take().is_empty());
}

#[tokio::test]
async fn the_response_to_a_head_request_has_the_headers_of_that_to_a_get() {
    let server = serve(layer()).await;
    for path in EXITS {
        let with_id = |method| {
            let mut request = request(method, path);
            request
                .headers_mut()
                .insert("x-request-id", ID.parse().unwrap());
            request
        };
        let get = server.send(with_id(Method::GET)).await;
        let head = server.send(with_id(Method::HEAD)).await;
        assert_eq!(head.header("x-request-id"), Some(ID));
        if path != "/adopted" {
            assert_eq!(
                head.headers_without_date(),
                get.headers_without_date(),
                "{path}"
            );
        }
    }
}

/// A handler's exception is rendered with the id. Its own response has the header only.
#[tokio::test]
async fn a_handler_has_the_id_and_its_reply_too() {
    let exception = layer().on_any(|error: Caught| {
        HttpException::bad_gateway(format!("report {}", error.id().unwrap()))
    });
    let response = layer().on_any(|error: Caught| {
        let id = error.id().unwrap().to_owned();
        (StatusCode::BAD_GATEWAY, [("x-request-id", "forged")], id)
    });
    let failing = layer().on_any(|_: Caught| -> Reply { panic!("hunter2") });
    let error =
        layer().on_any(|_: Caught| tower_exception::Error::from(std::io::Error::other("x")));
    for path in EXITS {
        let headers = [("x-request-id", ID)];
        let received = serve(exception.clone())
            .await
            .send(get(path, &headers))
            .await;
        assert_eq!(received.status, 502);
        assert_eq!(id_of(&received), ID);
        assert!(received.text().contains(&format!("report {ID}")));

        let received = serve(response.clone())
            .await
            .send(get(path, &headers))
            .await;
        assert_eq!((received.status.as_u16(), received.text()), (502, ID));
        assert_eq!(received.header("x-request-id"), Some(ID));

        for failing in [&failing, &error] {
            let seen = Seen::default();
            let server = serve(seen.observe(failing.clone())).await;
            let received = server.send(get(path, &headers)).await;
            assert_eq!(
                (received.status.as_u16(), id_of(&received)),
                (500, ID.to_owned())
            );
            assert_eq!(
                seen.take(),
                [Some(ID.to_owned()), Some(ID.to_owned())],
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn nested_layers_have_one_id() {
    let seen = Seen::default();
    let new = || {
        ExceptionLayer::new()
            .adopt_error_responses()
            .identify(Ids::new_id())
    };
    let plain = ExceptionLayer::new;
    let service = || service_fn(fail);
    let outer = || seen.observe(new());
    let servers = [
        Server::start(outer().layer(new().layer(service()))).await,
        Server::start(outer().layer(plain().layer(service()))).await,
        Server::start(plain().layer(seen.observe(new()).layer(service()))).await,
        // The layer inside has an observer and no ids.
        Server::start(new().layer(seen.observe(plain()).layer(service()))).await,
    ];
    for (number, server) in servers.iter().enumerate() {
        for path in EXITS {
            // Nobody has adopted it in the layer inside.
            if path == "/adopted" && number == 3 {
                continue;
            }
            let log = Log::start();
            let id = id_of(&server.get(path).await);
            assert!(is_uuid_v7(&id));
            assert_eq!(
                log.only_event().get("tower_exception.id"),
                Some(&*id),
                "{path} {number}"
            );
            assert_eq!(seen.take(), [Some(id)], "{path} {number}");
        }
    }
}
