//! The argument of a handler: `Caught`.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, StatusCode, Version};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Mechanism, Panic, Phase, RequestHead,
    config::{Configured, LayerConfig},
};

use crate::{every_way, missing, serve, start, support::*};

/// Returns a layer that calls `inspect` with every failure, and replies 418.
fn inspecting(
    inspect: impl Fn(&Caught) + Clone + Send + Sync + 'static,
) -> ExceptionLayer<Configured> {
    ExceptionLayer::new().on_any(move |caught: Caught| {
        inspect(&caught);
        StatusCode::IM_A_TEAPOT
    })
}

/// Returns the result of `ask` for the one failure at `path`.
async fn of<T: Clone + Send + 'static>(
    path: &str,
    layer: ExceptionLayer<impl LayerConfig>,
    ask: impl Fn(&Caught) -> T + Clone + Send + Sync + 'static,
) -> T {
    let found = Arc::new(Mutex::new(Vec::new()));
    let finding = Arc::clone(&found);
    let layer = layer.on_any(move |caught: Caught| {
        finding.lock().unwrap().push(ask(&caught));
        StatusCode::IM_A_TEAPOT
    });
    let received = serve(layer).await.get(path).await;
    assert_eq!(received.status, StatusCode::IM_A_TEAPOT);
    let found = found.lock().unwrap();
    assert_eq!(
        found.len(),
        1,
        "the handler was called {} times",
        found.len()
    );
    found[0].clone()
}

#[tokio::test]
async fn mechanism_and_phase_are_known() {
    for (path, mechanism, phase) in [
        ("/returned", Mechanism::Returned, Phase::Future),
        ("/error", Mechanism::Returned, Phase::Future),
        ("/inside-an-error", Mechanism::Returned, Phase::Future),
        ("/attached", Mechanism::Attached, Phase::Future),
        ("/raised", Mechanism::Raised, Phase::Future),
        ("/raised-async", Mechanism::RaisedAsync, Phase::Future),
        (
            "/panicked-with-an-exception",
            Mechanism::Raised,
            Phase::Future,
        ),
        ("/panicked", Mechanism::Panicked, Phase::Future),
        ("/call", Mechanism::Raised, Phase::Call),
        ("/adopted", Mechanism::Adopted, Phase::Future),
    ] {
        let layer = ExceptionLayer::new().adopt_error_responses();
        let found = of(path, layer, |caught| (caught.mechanism(), caught.phase())).await;
        assert_eq!(found, (mechanism, phase), "{path}");
    }
}

#[tokio::test]
async fn the_phase_of_a_failure_in_poll_ready_is_known() {
    let found = Arc::new(Mutex::new(None));
    let finding = Arc::clone(&found);
    let layer = inspecting(move |caught| {
        *finding.lock().unwrap() = Some((caught.mechanism(), caught.phase()));
    });
    let service = tower::util::MapErr::new(every_way(), BoxError::from);
    let service = FailsInPollReady(service);
    start(layer.layer(service)).await.get("/").await;
    assert_eq!(
        *found.lock().unwrap(),
        Some((Mechanism::Returned, Phase::PollReady))
    );
}

#[derive(Clone)]
struct FailsInPollReady<S>(S);

impl<S, R> tower::Service<R> for FailsInPollReady<S>
where
    S: tower::Service<R, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Err(Inner::default().into()))
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

#[tokio::test]
async fn an_exception_has_the_location_of_its_construction() {
    let file = |caught: &Caught| caught.location().map(|location| location.file());
    for path in [
        "/returned",
        "/attached",
        "/raised",
        "/raised-async",
        "/inside-an-error",
    ] {
        let found = of(path, ExceptionLayer::new(), file).await;
        assert!(
            found.is_some_and(|file| file.ends_with("handlers.rs")),
            "{path}: {found:?}"
        );
    }
}

#[tokio::test]
async fn errors_and_panics_and_adopted_responses_have_no_location() {
    let layer = ExceptionLayer::new().adopt_error_responses();
    for path in ["/error", "/panicked", "/adopted"] {
        let found = of(path, layer.clone(), |caught| caught.location()).await;
        assert_eq!(found, None, "{path}");
    }
}

async fn head_of(layer: ExceptionLayer<impl LayerConfig>) -> RequestHead {
    let found = Arc::new(Mutex::new(None));
    let finding = Arc::clone(&found);
    let layer = layer.on(move |caught: Caught<HttpException>| {
        *finding.lock().unwrap() = Some(caught.request().clone());
        StatusCode::IM_A_TEAPOT
    });
    let mut request = request(Method::PATCH, "/returned?page=2");
    request
        .headers_mut()
        .insert("x-agent", "probe".parse().unwrap());
    let received = serve(layer).await.send(request).await;
    assert_eq!(received.status, 418);
    found.lock().unwrap().take().unwrap()
}

#[tokio::test]
async fn a_handler_sees_the_head_of_the_request() {
    let head = head_of(ExceptionLayer::new()).await;
    assert_eq!(head.method(), Method::PATCH);
    assert_eq!(head.uri(), "/returned?page=2");
    assert_eq!(head.version(), Version::HTTP_11);
}

#[tokio::test]
async fn the_head_has_no_headers_by_default() {
    let head = head_of(ExceptionLayer::new()).await;
    assert_eq!(head.headers(), None);
}

#[tokio::test]
async fn the_head_has_all_headers_if_they_are_captured() {
    let head = head_of(ExceptionLayer::new().capture_headers()).await;
    let names: Vec<_> = head.headers().map(HeaderMap::keys).unwrap().collect();
    assert_eq!(names, ["x-agent", "host"]);
    assert_eq!(head.headers().unwrap()["x-agent"], "probe");
}

#[tokio::test]
async fn caught_derefs_to_the_handled_error_and_has_the_outermost() {
    let found = Arc::new(Mutex::new(None));
    let finding = Arc::clone(&found);
    let layer = ExceptionLayer::new().on(move |caught: Caught<Inner>| {
        let inner: &Inner = &caught;
        *finding.lock().unwrap() = Some((inner.to_string(), caught.outermost().to_string()));
        StatusCode::IM_A_TEAPOT
    });
    serve(layer).await.get("/error").await;
    let found = found.lock().unwrap().take().unwrap();
    assert_eq!(
        found,
        ("Inner with a secret".into(), "Outer with a secret".into())
    );
}

#[tokio::test]
async fn caught_may_be_stored() {
    let stored = Arc::new(Mutex::new(None));
    let storing = Arc::clone(&stored);
    let layer = ExceptionLayer::new().on(move |caught: Caught<Inner>| {
        *storing.lock().unwrap() = Some(caught);
        StatusCode::IM_A_TEAPOT
    });
    serve(layer).await.get("/error").await;
    let stored = stored.lock().unwrap().take().unwrap();
    assert_eq!(stored.to_string(), "Inner with a secret");
    assert_eq!(stored.outermost().to_string(), "Outer with a secret");
}

#[tokio::test]
async fn clone_clones_the_error() {
    let layer = ExceptionLayer::new().on(|exception: Caught<HttpException>| {
        let changed: HttpException = exception.clone();
        changed.with_detail("changed")
    });
    let received = serve(layer).await.get("/returned").await;
    assert_eq!(received.body, r#"{"detail":"changed"}"#);
}

#[tokio::test]
async fn caught_displays_as_the_error() {
    let found = of("/panicked", ExceptionLayer::new(), |caught| {
        (caught.to_string(), format!("{caught:?}"))
    })
    .await;
    assert_eq!(found.0, "panicked: at the disco");
    assert!(
        found.1.starts_with("Caught { error: Panic {"),
        "{}",
        found.1
    );
    assert!(
        found.1.contains("mechanism: Panicked, phase: Future"),
        "{}",
        found.1
    );
}

/// `source` is user code, and may return another error the second time.
#[tokio::test]
async fn a_chain_of_sources_that_changes_meanwhile_is_the_default_500() {
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug, Default)]
    struct Fickle(AtomicBool, Inner);
    impl std::fmt::Display for Fickle {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("fickle")
        }
    }
    impl std::error::Error for Fickle {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            match self.0.swap(true, Ordering::Relaxed) {
                false => Some(&self.1),
                true => None,
            }
        }
    }

    let layer = ExceptionLayer::new()
        .on(|inner: Caught<Inner>| HttpException::bad_request(inner.to_string()));
    let received = crate::response_to(layer, || Fickle::default().into()).await;
    received.assert_default_500();
}

#[tokio::test]
async fn a_panic_has_its_message() {
    let found = of("/panicked", ExceptionLayer::new(), |caught| {
        let panic = caught.outermost() as &(dyn std::error::Error + 'static);
        panic
            .downcast_ref::<Panic>()
            .unwrap()
            .message()
            .map(str::to_owned)
    })
    .await;
    assert_eq!(found.as_deref(), Some("at the disco"));
}

/// Not over a socket: hyper drops the parts of a request that a handler stores together with the
/// exchange.
#[tokio::test]
async fn caught_outlives_its_request() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let layer = ExceptionLayer::new().on(move |caught: Caught<HttpException>| {
        drop(sender.send(caught));
        StatusCode::IM_A_TEAPOT
    });
    let service = layer.layer(service_fn(async |_: http::Request<()>| {
        Err::<http::Response<http_body_util::Full<bytes::Bytes>>, BoxError>(missing().into())
    }));
    let response = service.oneshot(http::Request::new(())).await.unwrap();
    drop(response);
    let caught = receiver.recv().await.unwrap();
    assert_eq!(caught.status(), 404);
    assert_eq!(caught.request().uri(), "/");
}
