//! In a task of tokio's own: it unwinds there, and the `JoinError` holds the exception.

use std::{thread, time::Duration};

use tokio::{
    runtime::Handle,
    task::{self, JoinError, JoinSet, LocalSet, spawn_blocking, yield_now},
};

use crate::support::*;

/// The handler gives the `JoinError` back as its error.
async fn returned<T>(left: Left, join: impl AsyncFnOnce(Trace) -> Result<T, JoinError>) {
    let trace = Trace::default();
    let answer = serve(async {
        join(trace.clone()).await?;
        ok("joined")
    });
    let answer = answer.await;
    if cfg!(feature = "tokio") {
        answer.assert_exception();
    } else {
        answer.assert_error();
    }
    assert_eq!(trace.left(), [left]);
}

#[tokio::test]
async fn spawn() {
    returned(Left::Unwound, async |trace| {
        tokio::spawn(raise::<()>(trace)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spawn_on_many_threads() {
    returned(Left::Unwound, async |trace| {
        tokio::spawn(raise::<()>(trace)).await
    })
    .await;
}

#[tokio::test]
async fn spawn_that_nobody_joins() {
    let trace = Trace::default();
    let answer = serve(async {
        tokio::spawn(raise::<()>(trace.clone()));
        while trace.left().is_empty() {
            yield_now().await;
        }
        ok("the request is none the wiser")
    });
    answer.await.assert(200, "the request is none the wiser");
    assert_eq!(trace.left(), [Left::Unwound]);
}

#[tokio::test]
async fn a_layer_in_the_spawned_task_catches_it_there() {
    answered(Left::Dropped, |trace| async {
        let answer = tokio::spawn(serve(raise::<HttpResult>(trace))).await?;
        answer.assert_exception();
        Err(exception().into())
    })
    .await;
}

#[tokio::test]
async fn spawn_blocking_raises() {
    returned(Left::Unwound, async |trace| {
        spawn_blocking(move || {
            let _guard = trace.guard();
            exception().raise();
        })
        .await
    })
    .await;
}

#[tokio::test]
async fn spawn_blocking_that_blocks_on_async_code() {
    returned(Left::Unwound, async |trace| {
        spawn_blocking(move || Handle::current().block_on(raise::<()>(trace))).await
    })
    .await;
}

#[tokio::test]
async fn join_set() {
    returned(Left::Unwound, async |trace| {
        let mut set = JoinSet::new();
        set.spawn(raise::<()>(trace));
        set.join_next().await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn join_set_that_is_joined_whole() {
    // `join_all` goes on with the panic itself, in the task that joins.
    answered(Left::Unwound, |trace| async {
        let mut set = JoinSet::new();
        set.spawn(raise::<String>(trace));
        ok(set.join_all().await.concat())
    })
    .await;
}

#[tokio::test]
async fn local_set_run_in_the_handler() {
    // Its tasks are run within the layer's own poll, by contexts of their own.
    returned(Left::Unwound, async |trace| {
        let local = LocalSet::new();
        let task = local.spawn_local(raise::<()>(trace));
        local.run_until(task).await
    })
    .await;
}

#[tokio::test]
async fn local_set_the_future_it_runs_until() {
    answered(Left::Dropped, |trace| async {
        ok(LocalSet::new().run_until(raise::<String>(trace)).await)
    })
    .await;
}

#[tokio::test]
async fn local_set_around_the_layer() {
    let local = LocalSet::new();
    let inside = local.run_until(async {
        returned(Left::Unwound, async |trace| {
            task::spawn_local(raise::<()>(trace)).await
        })
        .await;
        answered(Left::Dropped, raise).await;
    });
    within_limit(inside).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_in_place() {
    answered(Left::Unwound, |trace| async {
        ok(task::block_in_place(|| {
            Handle::current().block_on(raise::<String>(trace))
        }))
    })
    .await;
}

#[tokio::test]
async fn another_thread_knows_nothing_of_this_ones_layer() {
    answered(Left::Unwound, |trace| async {
        thread::scope(|scope| {
            let other = scope.spawn(|| futures_executor::block_on(raise::<()>(trace)));
            match other.join() {
                Ok(()) => ok("joined"),
                Err(payload) => std::panic::resume_unwind(payload),
            }
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_moves_between_threads() {
    for _ in 0..50 {
        let task = tokio::spawn(answered(Left::Dropped, |trace| async {
            for _ in 0..20 {
                yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            raise(trace).await
        }));
        task.await.unwrap();
    }
}
