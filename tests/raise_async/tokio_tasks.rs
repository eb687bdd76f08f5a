//! Raises in tokio's tasks. The task unwinds, and the `JoinError` contains the exception.

use std::{thread, time::Duration};

use tokio::{
    runtime::Handle,
    task::{self, JoinError, JoinSet, LocalSet, spawn_blocking, yield_now},
};

use crate::{guard::*, request::*};

/// Serves a handler that returns the `JoinError` as its error, and checks the response.
async fn returned<T>(left: Left, join: impl AsyncFnOnce(Trace) -> Result<T, JoinError>) {
    let trace = Trace::default();
    let response = serve(async {
        join(trace.clone()).await?;
        ok("joined")
    });
    let response = response.await;
    if cfg!(feature = "tokio") {
        response.assert_exception();
    } else {
        response.assert_error();
    }
    assert_eq!(trace.left(), [left]);
}

#[tokio::test]
async fn a_spawned_task_unwinds() {
    returned(Left::Unwound, async |trace| {
        tokio::spawn(raise::<()>(trace)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_task_unwinds_on_many_threads() {
    returned(Left::Unwound, async |trace| {
        tokio::spawn(raise::<()>(trace)).await
    })
    .await;
}

#[tokio::test]
async fn a_raise_in_an_unjoined_task_does_not_affect_the_request() {
    let trace = Trace::default();
    let response = serve(async {
        tokio::spawn(raise::<()>(trace.clone()));
        while trace.left().is_empty() {
            yield_now().await;
        }
        ok("the request goes on")
    });
    response.await.assert(200, "the request goes on");
    assert_eq!(trace.left(), [Left::Unwound]);
}

#[tokio::test]
async fn a_layer_in_the_spawned_task_catches_it_there() {
    assert_caught(Left::Dropped, |trace| async {
        let response = tokio::spawn(serve(raise::<HttpResult>(trace))).await?;
        response.assert_exception();
        Err(exception().into())
    })
    .await;
}

#[tokio::test]
async fn spawn_blocking_unwinds() {
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
async fn block_on_in_spawn_blocking_unwinds() {
    returned(Left::Unwound, async |trace| {
        spawn_blocking(move || Handle::current().block_on(raise::<()>(trace))).await
    })
    .await;
}

#[tokio::test]
async fn join_set_unwinds() {
    returned(Left::Unwound, async |trace| {
        let mut set = JoinSet::new();
        set.spawn(raise::<()>(trace));
        set.join_next().await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn join_all_of_a_join_set_unwinds() {
    // `join_all` resumes the panic in the task that joins.
    assert_caught(Left::Unwound, |trace| async {
        let mut set = JoinSet::new();
        set.spawn(raise::<String>(trace));
        ok(set.join_all().await.concat())
    })
    .await;
}

#[tokio::test]
async fn local_set_in_the_handler_unwinds() {
    // Its tasks run within the layer's own poll, with contexts of their own.
    returned(Left::Unwound, async |trace| {
        let local = LocalSet::new();
        let task = local.spawn_local(raise::<()>(trace));
        local.run_until(task).await
    })
    .await;
}

#[tokio::test]
async fn the_main_future_of_a_local_set_needs_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        ok(LocalSet::new().run_until(raise::<String>(trace)).await)
    })
    .await;
}

#[tokio::test]
async fn a_layer_in_a_local_set_catches() {
    let local = LocalSet::new();
    let inside = local.run_until(async {
        returned(Left::Unwound, async |trace| {
            task::spawn_local(raise::<()>(trace)).await
        })
        .await;
        assert_caught(Left::Dropped, raise).await;
    });
    within(inside).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_in_place_unwinds() {
    assert_caught(Left::Unwound, |trace| async {
        ok(task::block_in_place(|| {
            Handle::current().block_on(raise::<String>(trace))
        }))
    })
    .await;
}

#[tokio::test]
async fn the_layer_does_not_catch_on_another_thread() {
    assert_caught(Left::Unwound, |trace| async {
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
async fn a_request_may_move_between_threads() {
    for _ in 0..50 {
        let task = tokio::spawn(assert_caught(Left::Dropped, |trace| async {
            for _ in 0..20 {
                yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            raise(trace).await
        }));
        task.await.unwrap();
    }
}
