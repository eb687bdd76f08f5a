//! Executors written by hand, with habits that an executor may have: one waker for all tasks, one context
//! for all tasks.
//!
//! A raising future is told apart by the address of the context that it is polled with, and not by its waker,
//! so neither habit does any harm.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use http::StatusCode;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException};

use crate::support::*;

type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// Waits for as many polls.
async fn polls(number: usize) {
    let mut left = number;
    poll_fn(|_| match left {
        0 => Poll::Ready(()),
        _ => {
            left -= 1;
            Poll::Pending
        }
    })
    .await;
}

/// Request number `id`, below a layer of its own: it raises an exception that has that number, after some polls.
/// Gives the number that the answer has.
fn request(id: usize, polls_to_wait: usize) -> Task<(StatusCode, String)> {
    let service = service_fn(move |_: HttpRequest| async move {
        polls(polls_to_wait).await;
        HttpException::gone(id.to_string())
            .raise_async::<HttpResult>()
            .await
    });
    Box::pin(async move {
        let service = ExceptionLayer::new().layer(service);
        let response = service.oneshot(HttpRequest::default()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

fn assert_own(id: usize, answer: &(StatusCode, String)) {
    assert_eq!(
        *answer,
        (StatusCode::GONE, format!(r#"{{"detail":"{id}"}}"#))
    );
}

/// Polls all tasks in turn, each by `poll`, until they are done.
fn run_all<T>(tasks: Vec<Task<T>>, mut poll: impl FnMut(&mut Task<T>) -> Poll<T>) -> Vec<T> {
    let mut waiting: VecDeque<_> = tasks.into_iter().enumerate().collect();
    let mut done = Vec::new();
    for _ in 0..1_000_000 {
        let Some((id, mut task)) = waiting.pop_front() else {
            done.sort_by_key(|(id, _)| *id);
            return done.into_iter().map(|(_, output)| output).collect();
        };
        match poll(&mut task) {
            Poll::Ready(output) => done.push((id, output)),
            Poll::Pending => waiting.push_back((id, task)),
        }
    }
    panic!("hangs");
}

fn requests() -> Vec<Task<(StatusCode, String)>> {
    (0..100).map(|id| request(id, id * 7 % 5)).collect()
}

#[test]
fn all_tasks_have_wakers_that_are_equal() {
    let hooks = hooks_run();
    let answers = run_all(requests(), |task| {
        task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    });
    for (id, answer) in answers.iter().enumerate() {
        assert_own(id, answer);
    }
    assert_eq!(hooks_run(), hooks);
}

#[test]
fn one_context_for_all_tasks_in_turn() {
    let mut cx = Context::from_waker(Waker::noop());
    let answers = run_all(requests(), |task| task.as_mut().poll(&mut cx));
    for (id, answer) in answers.iter().enumerate() {
        assert_own(id, answer);
    }
}

/// An executor that lives in one handler, and polls its tasks when the handler is polled.
fn local<T: 'static>(
    tasks: Vec<Task<T>>,
    mut poll: impl FnMut(&mut Context<'_>, &mut Task<T>) -> Poll<T>,
) -> impl Future<Output = Vec<T>> {
    let mut waiting = tasks;
    let mut done = Vec::new();
    poll_fn(move |cx| {
        waiting.retain_mut(|task| match poll(cx, task) {
            Poll::Ready(output) => {
                done.push(output);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() {
            return Poll::Ready(std::mem::take(&mut done));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[tokio::test]
async fn in_a_handler_with_contexts_of_its_own_but_the_handlers_waker() {
    // The wakers are equal, and still it is another task for all that anyone can know.
    answered(Left::Unwound, |trace| async {
        let tasks = vec![Box::pin(raise::<String>(trace)) as Task<String>];
        let executor = local(tasks, |cx, task| {
            let waker = cx.waker().clone();
            task.as_mut().poll(&mut Context::from_waker(&waker))
        });
        ok(executor.await.concat())
    })
    .await;
}

#[tokio::test]
async fn in_a_handler_with_the_handlers_context() {
    let done = Rc::new(RefCell::new(Vec::new()));
    answered(Left::Dropped, |trace| async {
        let raises: Task<()> = Box::pin(async {
            polls(2).await;
            raise(trace).await
        });
        let other = done.clone();
        let other: Task<()> = Box::pin(async move {
            polls(2).await;
            other.borrow_mut().push("polled in the same turn");
            polls(1).await;
            other.borrow_mut().push("dropped with the rest");
        });
        local(vec![raises, other], |cx, task| task.as_mut().poll(cx)).await;
        ok("")
    })
    .await;
    assert_eq!(*done.borrow(), ["polled in the same turn"]);
}

#[tokio::test]
async fn shared_by_requests_and_polled_with_whichever_context_comes() {
    // What nobody should write: a task of one request's is polled by another's handler, with that handler's
    // context. It is that handler's poll which comes back with an exception.
    let tasks: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
    let drive = || {
        let tasks = tasks.clone();
        poll_fn(move |cx| {
            tasks
                .borrow_mut()
                .retain_mut(|task| task.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
    };
    let one = serve(async {
        tasks.borrow_mut().push(Box::pin(async {
            polls(1).await;
            exception().raise_async().await
        }));
        drive().await;
        ok("one")
    });
    one.await.assert(200, "one");
    let two = serve(async {
        drive().await;
        ok("two")
    });
    two.await.assert_exception();
    // From then on it waits, and does no harm.
    let three = serve(async {
        drive().await;
        ok("three")
    });
    three.await.assert(200, "three");
    assert_eq!(tasks.borrow().len(), 1);
}

#[test]
fn a_context_at_the_address_of_one_that_is_gone() {
    // Each context is made at one address, after the last one is gone: each poll is a new one.
    fn poll_here<T>(task: &mut Task<T>) -> Poll<T> {
        let mut cx = Context::from_waker(Waker::noop());
        task.as_mut().poll(&mut cx)
    }
    let mut request = request(1, 1);
    assert!(poll_here(&mut request).is_pending());
    let trace = Trace::default();
    let mut raising: Task<()> = Box::pin(raise(trace.clone()));
    let unwinding = std::panic::AssertUnwindSafe(|| poll_here(&mut raising));
    assert!(
        std::panic::catch_unwind(unwinding).is_err(),
        "no layer is being polled"
    );
    assert_eq!(trace.left(), [Left::Unwound]);
    let Poll::Ready(answer) = poll_here(&mut request) else {
        panic!("not answered");
    };
    assert_own(1, &answer);
}
