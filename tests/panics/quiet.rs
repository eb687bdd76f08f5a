//! Panics that are printed, and those that are not because a layer reports them.

use std::{
    convert::Infallible,
    future::Ready,
    panic::{self, AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{Router, extract::Path, routing::get};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::task::LocalSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{
    Caught, ExceptionLayer, HttpException, Panic, Result, catch, config::Configured, panics,
};

use crate::{
    backtraces::{case, run},
    support::{
        Server, panic_hook_runs,
        websocket::{app, bare, catching, closed, connect, websocket_layer},
    },
};

/// Result of a service that is called without a server.
type Responded = std::result::Result<Response<Empty<Bytes>>, Infallible>;

/// Catches a panic in its destructor.
struct CatchesOnDrop;

impl Drop for CatchesOnDrop {
    fn drop(&mut self) {
        drop(catch_unwind(|| panic!("in a destructor")));
    }
}

/// Panics in its destructor.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("of a destructor")
    }
}

async fn fails(Path(case): Path<String>) -> Result<String> {
    match &*case {
        "future" => panic!("reported"),
        "catch" => Ok(catch(async { panic!("reported") }).await?),
        "twice" => {
            drop(catch_unwind(|| panic!("swallowed")));
            panic!("reported")
        }
        "swallowed" => {
            drop(catch_unwind(|| panic!("swallowed")));
            Ok(String::new())
        }
        "swallowed-around-catch" => {
            let caught = AssertUnwindSafe(catch(async { panic!("swallowed") }));
            drop(caught.catch_unwind().await);
            Ok(String::new())
        }
        "destructor" => {
            let _guard = CatchesOnDrop;
            panic!("reported")
        }
        "task" => Ok(tokio::spawn(async { panic!("of a task") }).await?),
        "exception" => panic::panic_any(HttpException::conflict("taken")),
        "raised-async" => {
            drop(catch_unwind(|| panic!("swallowed")));
            HttpException::conflict("taken").raise_async().await
        }
        "caught" => {
            let raised = catch(async {
                drop(catch_unwind(|| panic!("swallowed")));
                HttpException::conflict("taken").raise_async::<()>().await
            });
            drop(raised.await);
            eprintln!("after the catch");
            Ok(String::new())
        }
        "raised" => {
            let _guard = CatchesOnDrop;
            HttpException::conflict("taken").raise()
        }
        "handler" => HttpException::conflict("taken").raise(),
        _ => unreachable!(),
    }
}

/// Runs a task that panics, in its own poll, and does not wait for it.
async fn with_a_local_task(_: Request<()>) -> Responded {
    let local = LocalSet::new();
    local.spawn_local(async { panic!("of a local task") });
    local.run_until(tokio::task::yield_now()).await;
    Ok(Response::new(Empty::new()))
}

async fn panics_itself(_: Request<()>) -> Responded {
    panic!("reported")
}

/// Serves one failure in the way of the case, and prints what the layer has reported.
#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn child() {
    // The harness has a hook, which a server would install later.
    panic_hook_runs();
    panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let literal = payload.downcast_ref::<&str>().copied();
        eprintln!("hook: {}", literal.unwrap_or("?"));
    }));
    panics::record().quiet();
    let reported = Arc::new(Mutex::new(vec![]));
    let all = Arc::clone(&reported);
    let layer = ExceptionLayer::new().observe(move |caught: &Caught, _| {
        if let Some(panic) = caught.outermost().downcast_ref::<Panic>() {
            assert!(panic.location().is_some());
            all.lock().unwrap().push(panic.to_string());
        }
    });
    match &*case() {
        "outside" => drop(tokio::spawn(async { panic!("outside") }).await),
        "catch-outside" => {
            let task = tokio::spawn(async { catch(catch(async { panic!("outside") })).await });
            drop(task.await);
        }
        "call" => {
            let panics = |_: Request<()>| -> Ready<Responded> { panic!("in call") };
            let service = service_fn(panics);
            drop(layer.layer(service).oneshot(Request::new(())).await);
        }
        "local-set" => {
            let service = layer.layer(service_fn(with_a_local_task));
            drop(service.oneshot(Request::new(())).await);
        }
        "websocket" | "bare-websocket" => {
            let route = match &*case() {
                "websocket" => catching(async |_| panic!("reported")),
                _ => bare(async |_| panic!("of a task")),
            };
            let server = Server::start(app(route, websocket_layer())).await;
            closed(&mut connect(server.address(), "/").await).await;
            return;
        }
        "observer" => {
            let layer = layer.observe(|_: &Caught, _| panic!("in an observer"));
            serve(layer, "exception").await;
        }
        "handler" => {
            let panics = |_: Caught<HttpException>| -> HttpException { panic!("reported") };
            serve(layer.on(panics), "handler").await;
        }
        "drop" => {
            let service = service_fn(panics_itself);
            let service = service.map_future(|future| {
                let guard = PanicsOnDrop;
                HoldsGuard {
                    future: Box::pin(future),
                    _guard: guard,
                }
            });
            // The scope of an outer layer is open.
            let service = ExceptionLayer::new().layer(layer.layer(service));
            drop(service.oneshot(Request::new(())).await);
        }
        path => serve(layer, path).await,
    }
    eprintln!("layer: {:?}", reported.lock().unwrap());
}

/// Future with a guard that is dropped after it.
struct HoldsGuard<F> {
    future: Pin<Box<F>>,
    _guard: PanicsOnDrop,
}

impl<F: Future> Future for HoldsGuard<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.future.as_mut().poll(cx)
    }
}

async fn serve(layer: ExceptionLayer<Configured>, path: &str) {
    let app = Router::new().route("/{case}", get(fails)).layer(layer);
    let received = Server::start(app).await.get(&format!("/{path}")).await;
    if path == "raised-async" {
        assert_eq!(received.status, 409);
    }
}

/// Returns the lines of a case about its panics.
fn lines(case: &str) -> Vec<String> {
    let stderr = run("quiet::child", case, None);
    // A panic that is printed late has its place in one line, and its text in the next one.
    let lines =
        stderr.lines().map(
            |line| match line.split_once("' panicked at tests/panics/quiet.rs:") {
                Some(_) => "late:",
                None => line,
            },
        );
    lines
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect()
}

#[test]
fn a_panic_that_a_layer_reports_is_not_printed() {
    let layer = r#"layer: ["panicked: reported"]"#;
    for case in ["future", "catch", "handler"] {
        assert_eq!(lines(case), [layer], "{case}");
    }
    assert_eq!(lines("exception"), ["layer: []"]);
    assert_eq!(lines("websocket"), [""; 0]);
}

#[test]
fn a_panic_that_no_layer_reports_is_printed_by_the_previous_hook() {
    assert_eq!(lines("outside"), ["hook: outside", "layer: []"]);
    assert_eq!(lines("catch-outside"), ["hook: outside", "layer: []"]);
    assert_eq!(lines("observer"), ["hook: in an observer", "layer: []"]);
    assert_eq!(
        lines("drop"),
        ["hook: of a destructor", r#"layer: ["panicked: reported"]"#]
    );
}

#[test]
fn a_panic_in_doubt_is_printed() {
    assert_eq!(
        lines("task"),
        ["hook: of a task", r#"layer: ["panicked: of a task"]"#]
    );
    assert_eq!(
        lines("call"),
        ["hook: in call", r#"layer: ["panicked: in call"]"#]
    );
    assert_eq!(lines("bare-websocket"), ["hook: of a task"]);
    assert_eq!(
        lines("destructor"),
        ["hook: in a destructor", r#"layer: ["panicked: reported"]"#]
    );
}

#[test]
fn a_panic_that_user_code_swallows_below_a_layer_is_printed_late() {
    for case in ["swallowed", "swallowed-around-catch"] {
        assert_eq!(lines(case), ["late:", "swallowed", "layer: []"], "{case}");
    }
    assert_eq!(
        lines("local-set"),
        ["late:", "of a local task", "layer: []"]
    );
    assert_eq!(lines("raised-async"), ["late:", "swallowed", "layer: []"]);
    assert_eq!(
        lines("caught"),
        ["late:", "swallowed", "after the catch", "layer: []"]
    );
    assert_eq!(lines("raised"), ["late:", "in a destructor", "layer: []"]);
    // The second one may end the process, as far as the hook can know.
    assert_eq!(
        lines("twice"),
        [
            "hook: reported",
            "late:",
            "swallowed",
            r#"layer: ["panicked: reported"]"#
        ]
    );
}
