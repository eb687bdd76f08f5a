//! Panics in a service, in each place in which a layer catches them.

use std::{
    convert::Infallible,
    io,
    panic::{catch_unwind, panic_any},
    task::{Context, Poll},
};

use axum::{Router, body::Body, extract::Path, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, Service};
use tower_exception::{Caught, ExceptionLayer, HttpException, catch, catch_sync};

use crate::{
    panic_formatted, panic_here,
    seen::watched,
    support::{SECRET_TEXT, Server, first_then},
};

fn deep(depth: u8) -> u32 {
    match depth {
        0 => panic_formatted!(),
        _ => deep(depth - 1) + 1,
    }
}

/// Panics in its destructor too, and catches that panic.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        assert!(catch_unwind(|| panic!("in the destructor")).is_err());
    }
}

async fn panics(Path(case): Path<String>) -> String {
    match &*case {
        "literal" => panic_here!(),
        "formatted" => panic_formatted!(),
        "deep" => deep(20).to_string(),
        "catch" => catch(async { panic_here!() }).await.unwrap(),
        "catch-sync" => catch_sync(|| panic_formatted!()).unwrap(),
        "destructor" => {
            let _guard = PanicsOnDrop;
            panic_here!()
        }
        "after-others" => {
            for number in 0..3 {
                assert!(catch_unwind(|| panic!("number {number}")).is_err());
            }
            panic_here!()
        }
        "after-a-pause" => {
            tokio::task::yield_now().await;
            panic_here!()
        }
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_panic_of_a_handler_has_its_place() {
    let (layer, mut panics_of_layer) = watched(ExceptionLayer::new());
    let app = Router::new().route("/{case}", get(panics)).layer(layer);
    let server = Server::start(app).await;
    for case in [
        "literal",
        "formatted",
        "deep",
        "catch",
        "catch-sync",
        "destructor",
        "after-others",
        "after-a-pause",
    ] {
        let received = server.get(&format!("/{case}")).await;
        assert_eq!(received.body, r#"{"detail":"handled"}"#);
        let seen = panics_of_layer.next_handled().await;
        seen.assert_is_in("services.rs", case);
        let thread = std::thread::current();
        assert_eq!(seen.thread.as_deref(), thread.name());
        assert!(!seen.has_backtrace);
        let is_formatted = ["formatted", "deep", "catch-sync"].contains(&case);
        let payload_type = if is_formatted {
            "alloc::string::String"
        } else {
            "&str"
        };
        assert_eq!(seen.payload_type, Some(payload_type), "{case}");
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_has_its_place() {
    let (layer, mut panics) = watched(ExceptionLayer::new());
    let fails = async || Body::new(first_then(|| panic_here!()));
    let app = Router::new().route("/", get(fails)).layer(layer);
    let received = Server::start(app).await.get("/").await;
    assert!(received.aborted);
    panics.next().await.assert_is_in("services.rs", "stream");
}

/// Panics in `poll_ready` or in `call`.
#[derive(Clone)]
struct Sync(&'static str);

impl Service<Request<Incoming>> for Sync {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.0 {
            "poll_ready" => panic_here!(),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        panic_here!()
    }
}

#[tokio::test]
async fn a_panic_in_poll_ready_and_in_call_has_its_place() {
    for place in ["poll_ready", "call"] {
        let (layer, mut panics) = watched(ExceptionLayer::new());
        let received = Server::start(layer.layer(Sync(place))).await.get("/").await;
        assert_eq!(received.status, 500);
        let seen = panics.next_handled().await;
        seen.assert_is_in("services.rs", place);
    }
}

#[tokio::test]
async fn a_payload_that_is_an_error_with_a_handler_has_its_place() {
    let (sender, mut places) = tokio::sync::mpsc::unbounded_channel();
    let (layer, _) = watched(ExceptionLayer::new());
    let layer = layer.on(move |error: Caught<io::Error>| {
        sender.send(error.location()).unwrap();
        HttpException::bad_gateway("no disk")
    });
    let line = line!() + 1;
    let fails = async || -> String { panic_any(io::Error::other(SECRET_TEXT)) };
    let app = Router::new().route("/", get(fails)).layer(layer);
    assert_eq!(Server::start(app).await.get("/").await.status, 502);
    let place = places.recv().await.unwrap().unwrap();
    assert_eq!((place.line(), place.file()), (line, file!()));
}

#[tokio::test]
async fn a_payload_of_any_other_type_has_a_place_and_no_known_type() {
    let (layer, mut panics) = watched(ExceptionLayer::new());
    let line = line!() + 1;
    let fails = async || -> String { panic_any(7_u64) };
    let app = Router::new().route("/", get(fails)).layer(layer);
    Server::start(app).await.get("/").await;
    let seen = panics.next_handled().await;
    assert_eq!(seen.location.unwrap().line(), line);
    assert_eq!((seen.message, seen.payload_type), (None, None));
}

#[tokio::test]
async fn a_client_sees_no_place() {
    crate::seen::start();
    let fails = async || deep(3).to_string();
    let app = Router::new()
        .route("/", get(fails))
        .layer(ExceptionLayer::new());
    let received = Server::start(app).await.get("/").await;
    assert_eq!(received.body, r#"{"detail":"Internal Server Error"}"#);
    assert!(!received.to_string().contains(".rs"));
}
