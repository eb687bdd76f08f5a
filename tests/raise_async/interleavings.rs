//! Property test: no request gets the exception of another one, in random programs and
//! interleavings.
//!
//! Each request runs a program of its own: it waits, catches, joins, spawns, nests layers, and
//! fails by some mechanism, with an exception that names its place. The program alone determines
//! the possible outcomes. Any other content of a response comes from another request.

use std::{
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::join_all, stream, stream::FuturesUnordered};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Runtime, task::yield_now};
use tower::{Layer, service_fn};
use tower_exception::{ExceptionLayer, HttpException, catch};

use crate::request::*;

/// A program. It ends with the name of its place, or fails with an exception that names its place.
#[derive(Clone, Debug)]
enum Code {
    Complete,
    Fail(Mechanism),
    /// Is pending this many times first.
    Wait(u8, Arc<Code>),
    /// The first one runs in a `catch`, and then the second one runs.
    Catch(Arc<Code>, Arc<Code>),
    /// Both run at once, in one `join!`.
    Both(Arc<Code>, Arc<Code>),
    /// Polled with a context of its own.
    Apart(Arc<Code>),
    /// Below a layer of its own.
    Nested(Arc<Code>),
    Spawned(Arc<Code>),
}

#[derive(Clone, Copy, Debug)]
enum Mechanism {
    Returned,
    Raised,
    RaisedAsync,
}

/// The outcome of a program.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Completed(String),
    Returned(String),
    Raised(String),
}
use Outcome::*;

/// Returns all possible outcomes of `code` in this place.
fn outcomes(code: &Code, place: String) -> Vec<Outcome> {
    match code {
        Code::Complete => vec![Completed(place)],
        Code::Fail(Mechanism::Returned) => vec![Returned(place)],
        Code::Fail(Mechanism::Raised | Mechanism::RaisedAsync) => vec![Raised(place)],
        Code::Wait(_, code) | Code::Apart(code) | Code::Spawned(code) => outcomes(code, place),
        Code::Catch(_, then) => outcomes(then, place + "t"),
        Code::Nested(code) => {
            let all = outcomes(code, place + "n").into_iter();
            all.map(|outcome| match outcome {
                Raised(place) => Returned(place),
                other => other,
            })
            .collect()
        }
        Code::Both(one, two) => {
            let two = outcomes(two, place.clone() + "b");
            let one = outcomes(one, place + "a");
            let mut all = Vec::new();
            for one in &one {
                for two in &two {
                    let raised = [one, two].into_iter().filter(|it| matches!(it, Raised(_)));
                    let raised: Vec<_> = raised.cloned().collect();
                    all.extend(match (one, two) {
                        _ if !raised.is_empty() => raised,
                        (Completed(one), Completed(two)) => vec![Completed(format!("{one} {two}"))],
                        (Completed(_), other) | (other, _) => vec![other.clone()],
                    });
                }
            }
            all
        }
    }
}

type Run = Pin<Box<dyn Future<Output = Result<String, HttpException>> + Send>>;

fn run(code: Arc<Code>, place: String) -> Run {
    async move {
        match &*code {
            Code::Complete => Ok(place),
            Code::Fail(mechanism) => fail(*mechanism, place).await,
            Code::Wait(turns, code) => {
                for _ in 0..*turns {
                    yield_now().await;
                }
                run(code.clone(), place).await
            }
            Code::Catch(code, then) => {
                let caught = match catch(run(code.clone(), place.clone() + "c")).await {
                    Ok(Ok(text)) => Completed(text),
                    Ok(Err(exception)) => Returned(place_of(&exception)),
                    Err(exception) => Raised(place_of(&exception)),
                };
                if !outcomes(code, place.clone() + "c").contains(&caught) {
                    return Err(HttpException::internal_server_error(format!(
                        "{caught:?} was caught in {place}",
                    )));
                }
                run(then.clone(), place + "t").await
            }
            Code::Both(one, two) => {
                let one = run(one.clone(), place.clone() + "a");
                let (one, two) = tokio::join!(one, run(two.clone(), place + "b"));
                Ok(one? + " " + &two?)
            }
            Code::Apart(code) => {
                let mut apart = FuturesUnordered::from_iter([run(code.clone(), place)]);
                apart.next().await.unwrap()
            }
            Code::Nested(code) => {
                let response = serve(respond(run(code.clone(), place + "n"), None)).await;
                match response.status {
                    StatusCode::OK => Ok(text(&response)),
                    status => Err(HttpException::new(status).with_detail(text(&response))),
                }
            }
            Code::Spawned(code) => match tokio::spawn(run(code.clone(), place)).await {
                Ok(result) => result,
                Err(error) => resume_unwind(error.into_panic()),
            },
        }
    }
    .boxed()
}

async fn fail(mechanism: Mechanism, place: String) -> Result<String, HttpException> {
    let exception = HttpException::gone(place);
    match mechanism {
        Mechanism::Returned => Err(exception),
        Mechanism::Raised => exception.raise(),
        Mechanism::RaisedAsync => exception.raise_async().await,
    }
}

fn place_of(exception: &impl std::fmt::Display) -> String {
    exception.to_string().trim_start_matches("410: ").to_owned()
}

/// Returns the text of a response, or the detail of an exception.
fn text(response: &InProcessResponse) -> String {
    let text = String::from_utf8_lossy(response.body.as_ref().unwrap()).into_owned();
    match response.status {
        StatusCode::OK => text,
        _ => text
            .trim_start_matches(r#"{"detail":""#)
            .trim_end_matches(r#""}"#)
            .to_owned(),
    }
}

type Chunks = Pin<Box<dyn stream::Stream<Item = Result<Frame<Bytes>, HttpException>> + Send>>;

/// Responds with the text of `running`, and with the text of `body` as a second frame.
async fn respond(
    running: Run,
    body: Option<Run>,
) -> Result<Response<StreamBody<Chunks>>, HttpException> {
    let text = running.await?;
    let first = stream::iter([Ok(Frame::data(text.into()))]);
    let then = stream::iter(body).then(|body| async { Ok(Frame::data(body.await?.into())) });
    let chunks: Chunks = first.chain(then).boxed();
    Ok(Response::new(StreamBody::new(chunks)))
}

/// A request: the program of its handler, and the program of its body after a first chunk.
type Program = (Arc<Code>, Option<Arc<Code>>);

/// Serves one request. Fails with a description of an impossible response.
async fn check(id: usize, (code, body): Program) -> Result<(), String> {
    let expected = outcomes(&code, format!("{id}/"));
    let running = run(code, format!("{id}/"));
    let sending = body.clone().map(|body| run(body, format!("{id}/body/")));
    let mut future = Some(respond(running, sending));
    let service = service_fn(move |_: HttpRequest| future.take().expect("one request"));
    let response = ask(ExceptionLayer::new().layer(service)).await;

    let got = match (response.status, &response.body) {
        (StatusCode::OK, _) => None,
        (StatusCode::GONE, Ok(_)) => Some(text(&response)),
        (status, body) => return Err(format!("{status} {body:?}")),
    };
    let head_is_right = expected.iter().any(|outcome| match (outcome, &got) {
        (Completed(_), None) => true,
        (Returned(place) | Raised(place), Some(got)) => place == got,
        _ => false,
    });
    if !head_is_right {
        return Err(format!("{got:?}, which is none of {expected:?}"));
    }
    let (None, Some(body)) = (got, body) else {
        return Ok(());
    };
    let expected_body = outcomes(&body, format!("{id}/body/"));
    let got = match response.body {
        Ok(text) => Completed(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => match error.downcast_ref::<HttpException>() {
            Some(exception) => Raised(place_of(exception)),
            None => return Err(error.to_string()),
        },
    };
    let body_is_right = expected_body.iter().any(|outcome| match (outcome, &got) {
        (Completed(end), Completed(got)) => expected
            .iter()
            .any(|start| matches!(start, Completed(start) if *got == format!("{start}{end}"))),
        (Returned(place) | Raised(place), Raised(got)) => place == got,
        _ => false,
    });
    if body_is_right {
        return Ok(());
    }
    Err(format!(
        "{got:?} in the body, which is none of {expected_body:?}"
    ))
}

/// The tasks in which the requests run.
#[derive(Clone, Copy, Debug)]
enum Tasks {
    /// Each request has its own task.
    Many,
    /// All requests are in one task, each with a context of its own.
    One,
    /// All requests are in one task, with one context.
    OneWithOneContext,
}

async fn check_all(programs: Vec<Program>, tasks: Tasks) -> Vec<Result<(), String>> {
    let checks = programs
        .into_iter()
        .enumerate()
        .map(|(id, program)| check(id, program).boxed());
    match tasks {
        Tasks::Many => {
            let handles = checks.map(tokio::spawn).collect::<Vec<_>>();
            let results = handles.into_iter().map(|handle| async {
                handle.await.unwrap_or_else(|error| Err(error.to_string()))
            });
            join_all(results).await
        }
        Tasks::One => {
            let apart = stream::FuturesOrdered::from_iter(checks);
            apart.collect().await
        }
        Tasks::OneWithOneContext => {
            let mut checks: Vec<_> = checks.map(|check| check.map(Some).boxed()).collect();
            let mut results = vec![None; checks.len()];
            poll_fn(|cx| {
                for (check, result) in checks.iter_mut().zip(&mut results) {
                    if result.is_none() {
                        if let Poll::Ready(done) = check.as_mut().poll(cx) {
                            *result = done;
                        }
                    }
                }
                if results.iter().all(Option::is_some) {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
            .await;
            results.into_iter().flatten().collect()
        }
    }
}

fn code() -> impl Strategy<Value = Arc<Code>> {
    let leaf = prop_oneof![
        2 => Just(Code::Complete),
        1 => Just(Code::Fail(Mechanism::Returned)),
        1 => Just(Code::Fail(Mechanism::Raised)),
        3 => Just(Code::Fail(Mechanism::RaisedAsync)),
    ];
    leaf.prop_map(Arc::new).prop_recursive(5, 16, 2, |code| {
        prop_oneof![
            4 => (1..4_u8, code.clone()).prop_map(|(turns, code)| Code::Wait(turns, code)),
            2 => (code.clone(), code.clone()).prop_map(|(code, then)| Code::Catch(code, then)),
            2 => (code.clone(), code.clone()).prop_map(|(one, two)| Code::Both(one, two)),
            1 => code.clone().prop_map(Code::Apart),
            1 => code.clone().prop_map(Code::Nested),
            1 => code.prop_map(Code::Spawned),
        ]
        .prop_map(Arc::new)
    })
}

/// Runs `cases` sets of requests on `runtime`, in each kind of tasks.
fn on(runtime: &Runtime, cases: u32) {
    let programs = vec((code(), proptest::option::of(code())), 1..16);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_time: 5_000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&programs, |programs| {
        for tasks in [Tasks::Many, Tasks::One, Tasks::OneWithOneContext] {
            let checking = async {
                let checks = check_all(programs.clone(), tasks);
                tokio::time::timeout(Duration::from_secs(5), checks).await
            };
            let Ok(results) = runtime.block_on(checking) else {
                return Err(TestCaseError::fail(format!("{tasks:?}: hangs")));
            };
            for (id, result) in results.into_iter().enumerate() {
                if let Err(wrong) = result {
                    let message = format!("{tasks:?}: request {id} got {wrong}");
                    return Err(TestCaseError::fail(message));
                }
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn no_exception_reaches_another_request_on_one_thread() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    on(&runtime.enable_time().build().unwrap(), 400);
}

#[test]
fn no_exception_reaches_another_request_on_many_threads() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    on(
        &runtime.worker_threads(4).enable_time().build().unwrap(),
        150,
    );
}

#[test]
fn the_programs_do_raise() {
    // The property would hold trivially if no program raised. This program has every construct.
    use Code::*;
    let arc = |code: Code| Arc::new(code);
    let raise = || arc(Wait(1, arc(Fail(Mechanism::RaisedAsync))));
    let code = arc(Catch(
        raise(),
        arc(Both(
            arc(Nested(arc(Wait(2, arc(Complete))))),
            arc(Catch(
                arc(Apart(arc(Fail(Mechanism::RaisedAsync)))),
                arc(Spawned(raise())),
            )),
        )),
    ));
    assert_eq!(
        outcomes(&code, "0/".to_owned()),
        [Raised("0/tbt".to_owned())]
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let results = runtime
        .unwrap()
        .block_on(check_all(vec![(code, None)], Tasks::Many));
    assert_eq!(results, [Ok(())]);
}
