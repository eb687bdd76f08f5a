//! What a handler is given.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, StatusCode, Version};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{
    Caught, Custom, ExceptionLayer, How, HttpException, Panic, Place, RequestHead, Settings,
};

use crate::{every_way, missing, serve, start, support::*};

/// Gives `tell` what every handler is given, of whichever type, and has all of it answered with 418.
fn telling(tell: impl Fn(&Caught) + Clone + Send + Sync + 'static) -> ExceptionLayer<Custom> {
    ExceptionLayer::new().on_any(move |caught: Caught| {
        tell(&caught);
        StatusCode::IM_A_TEAPOT
    })
}

/// What `ask` finds of the one exception that is raised at `path`.
async fn of<T: Clone + Send + 'static>(
    path: &str,
    layer: ExceptionLayer<impl Settings>,
    ask: impl Fn(&Caught) -> T + Clone + Send + Sync + 'static,
) -> T {
    let found = Arc::new(Mutex::new(Vec::new()));
    let finding = Arc::clone(&found);
    let layer = layer.on_any(move |caught: Caught| {
        finding.lock().unwrap().push(ask(&caught));
        StatusCode::IM_A_TEAPOT
    });
    let answer = serve(layer).await.get(path).await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
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
async fn how_and_in_which_place() {
    for (path, how, place) in [
        ("/returned", How::Returned, Place::Future),
        ("/error", How::Returned, Place::Future),
        ("/inside-an-error", How::Returned, Place::Future),
        ("/attached", How::Attached, Place::Future),
        ("/raised", How::Raised, Place::Future),
        ("/raised-async", How::RaisedAsync, Place::Future),
        ("/panicked-with-an-exception", How::Raised, Place::Future),
        ("/panicked", How::Panicked, Place::Future),
        ("/call", How::Raised, Place::Call),
        ("/adopted", How::Adopted, Place::Future),
    ] {
        let layer = ExceptionLayer::new().adopt_error_responses();
        let found = of(path, layer, |caught| (caught.how(), caught.place())).await;
        assert_eq!(found, (how, place), "{path}");
    }
}

#[tokio::test]
async fn the_place_of_what_readiness_gives() {
    let found = Arc::new(Mutex::new(None));
    let finding = Arc::clone(&found);
    let layer = telling(move |caught| {
        *finding.lock().unwrap() = Some((caught.how(), caught.place()));
    });
    let service = tower::util::MapErr::new(every_way(), BoxError::from);
    let service = FailsToBeReady(service);
    start(layer.layer(service)).await.get("/").await;
    assert_eq!(
        *found.lock().unwrap(),
        Some((How::Returned, Place::Readiness))
    );
}

#[derive(Clone)]
struct FailsToBeReady<S>(S);

impl<S, R> tower::Service<R> for FailsToBeReady<S>
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
async fn an_exception_knows_where_it_was_made() {
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
async fn what_is_no_exception_does_not_know_where_it_was_made() {
    let layer = ExceptionLayer::new().adopt_error_responses();
    for path in ["/error", "/panicked", "/adopted"] {
        let found = of(path, layer.clone(), |caught| caught.location()).await;
        assert_eq!(found, None, "{path}");
    }
}

async fn head_of(layer: ExceptionLayer<impl Settings>) -> RequestHead {
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
    let answer = serve(layer).await.send(request).await;
    assert_eq!(answer.status, 418);
    found.lock().unwrap().take().unwrap()
}

#[tokio::test]
async fn the_head_of_the_request() {
    let head = head_of(ExceptionLayer::new()).await;
    assert_eq!(head.method(), Method::PATCH);
    assert_eq!(head.uri(), "/returned?page=2");
    assert_eq!(head.version(), Version::HTTP_11);
}

#[tokio::test]
async fn no_headers_unless_they_were_asked_for() {
    let head = head_of(ExceptionLayer::new()).await;
    assert_eq!(head.headers(), None);
}

#[tokio::test]
async fn all_headers_where_they_were_asked_for() {
    let head = head_of(ExceptionLayer::new().capture_headers()).await;
    let names: Vec<_> = head.headers().map(HeaderMap::keys).unwrap().collect();
    assert_eq!(names, ["x-agent", "host"]);
    assert_eq!(head.headers().unwrap()["x-agent"], "probe");
}

#[tokio::test]
async fn it_derefs_to_the_handled_error_and_knows_the_outermost() {
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
async fn it_may_be_kept() {
    let kept = Arc::new(Mutex::new(None));
    let keeping = Arc::clone(&kept);
    let layer = ExceptionLayer::new().on(move |caught: Caught<Inner>| {
        *keeping.lock().unwrap() = Some(caught);
        StatusCode::IM_A_TEAPOT
    });
    serve(layer).await.get("/error").await;
    let kept = kept.lock().unwrap().take().unwrap();
    assert_eq!(kept.to_string(), "Inner with a secret");
    assert_eq!(kept.outermost().to_string(), "Outer with a secret");
}

#[tokio::test]
async fn a_clone_is_the_errors() {
    let layer = ExceptionLayer::new().on(|exception: Caught<HttpException>| {
        let changed: HttpException = exception.clone();
        changed.with_detail("changed")
    });
    let answer = serve(layer).await.get("/returned").await;
    assert_eq!(answer.body, r#"{"detail":"changed"}"#);
}

#[tokio::test]
async fn it_reads_like_the_error() {
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
        found.1.contains("how: Panicked, place: Future"),
        "{}",
        found.1
    );
}

/// `source` is other people's code: what it does the second time is not what it did the first.
#[tokio::test]
async fn a_chain_that_changes_while_it_is_handled_gives_the_default_500() {
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
    let answer = crate::answer_to(layer, || Fickle::default().into()).await;
    answer.assert_default_500();
}

#[tokio::test]
async fn a_panic_is_given_with_its_message() {
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

/// Not over a socket: hyper drops what a handler keeps of a request together with the exchange.
#[tokio::test]
async fn it_outlives_its_request() {
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
