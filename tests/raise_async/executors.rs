//! Executors written by hand that share one waker, or one context, between all tasks.
//!
//! The crate identifies the innermost scope of a raising future by the address of its context, and
//! not by its waker. So neither kind of executor mixes up exceptions.

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

use crate::{guard::*, request::*};

type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// Is pending for this number of polls.
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

/// Sends request number `id` below a layer of its own, where an exception with that number is
/// raised after some polls. Returns the status and the body of the response.
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

fn assert_own(id: usize, response: &(StatusCode, String)) {
    assert_eq!(
        *response,
        (StatusCode::GONE, format!(r#"{{"detail":"{id}"}}"#))
    );
}

/// Polls all tasks in turn by `poll`, until all are ready.
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
fn tasks_with_equal_wakers_get_their_own_exceptions() {
    let hooks = panic_hook_runs();
    let responses = run_all(requests(), |task| {
        task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    });
    for (id, response) in responses.iter().enumerate() {
        assert_own(id, response);
    }
    assert_eq!(panic_hook_runs(), hooks);
}

#[test]
fn tasks_with_one_context_get_their_own_exceptions() {
    let mut cx = Context::from_waker(Waker::noop());
    let responses = run_all(requests(), |task| task.as_mut().poll(&mut cx));
    for (id, response) in responses.iter().enumerate() {
        assert_own(id, response);
    }
}

/// Returns an executor within one handler, which polls its tasks when the handler is polled.
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
async fn an_executor_with_its_own_contexts_and_the_handlers_waker_unwinds() {
    // The wakers are equal, but the context differs, so the crate must assume another task.
    assert_caught(Left::Unwound, |trace| async {
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
async fn an_executor_with_the_handlers_context_does_not_unwind() {
    let done = Rc::new(RefCell::new(Vec::new()));
    assert_caught(Left::Dropped, |trace| async {
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
async fn a_task_shared_by_requests_raises_for_its_caller() {
    // No executor should do this: the handler of one request polls a task of another request, with
    // the context of the handler. The poll of that handler returns the exception.
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
    // From then on the task is pending, and raises nothing.
    let three = serve(async {
        drive().await;
        ok("three")
    });
    three.await.assert(200, "three");
    assert_eq!(tasks.borrow().len(), 1);
}

#[test]
fn a_context_at_the_address_of_a_dropped_one_is_another_scope() {
    // Each context is made at the address of the previous one, and is a new scope all the same.
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
    let Poll::Ready(response) = poll_here(&mut request) else {
        panic!("no response");
    };
    assert_own(1, &response);
}
