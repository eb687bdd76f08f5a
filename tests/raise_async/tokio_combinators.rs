//! Raises in tokio's combinators. They pass on the context that they are polled with, so a raise
//! needs no unwinding.

use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    task::{coop, yield_now},
    time::timeout,
};

use crate::{guard::*, request::*};

#[tokio::test]
async fn select_with_a_pending_branch_needs_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        tokio::select! {
            text = raise::<String>(trace) => ok(text),
            () = pending() => unreachable!(),
        }
    })
    .await;
}

#[tokio::test]
async fn a_raise_in_select_wins_over_a_ready_branch() {
    let went_on = AtomicBool::new(false);
    assert_caught(Left::Dropped, |trace| async {
        tokio::select! {
            biased;
            () = raise(trace) => unreachable!(),
            () = async {} => {}
        }
        // `select!` is ready, so this still runs, up to the next `.await` that is pending.
        went_on.store(true, Ordering::Relaxed);
        async {}.await;
        yield_now().await;
        unreachable!()
    })
    .await;
    assert!(went_on.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_raise_in_select_wins_over_a_response() {
    assert_caught(Left::Dropped, |trace| async {
        tokio::select! {
            biased;
            () = raise(trace) => unreachable!(),
            () = async {} => ok("dropped: the first raise wins"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_branch_of_select_that_is_not_polled_does_not_raise() {
    let response = serve(async {
        tokio::select! {
            biased;
            () = async {} => ok("nothing was raised"),
            () = exception().raise_async() => unreachable!(),
        }
    });
    response.await.assert(200, "nothing was raised");
}

#[tokio::test]
async fn select_in_random_order_responds_with_either_branch() {
    for _ in 0..100 {
        let response = serve(async {
            tokio::select! {
                () = exception().raise_async() => unreachable!(),
                () = async {} => ok("ready"),
            }
        });
        let response = response.await;
        match response.status.as_u16() {
            200 => response.assert(200, "ready"),
            _ => response.assert_exception(),
        }
    }
}

#[tokio::test]
async fn join_drops_its_other_branches() {
    let others = Trace::default();
    assert_caught(Left::Dropped, |trace| async {
        let waits = async {
            let _guard = others.guard();
            pending::<()>().await;
        };
        let (text, ()) = tokio::join!(raise::<String>(trace), waits);
        ok(text)
    })
    .await;
    assert_eq!(others.left(), [Left::Dropped]);
}

#[tokio::test]
async fn join_needs_no_unwinding_in_a_later_poll() {
    assert_caught(Left::Dropped, |trace| async {
        let late = async {
            yield_now().await;
            raise::<String>(trace).await
        };
        let (text, (), ()) = tokio::join!(late, async {}, yield_now());
        ok(text)
    })
    .await;
}

#[tokio::test]
async fn try_join_needs_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        let fails = async {
            yield_now().await;
            Err::<(), BoxError>("an error that comes later".into())
        };
        tokio::try_join!(raise::<Result<(), BoxError>>(trace), fails)?;
        unreachable!()
    })
    .await;
}

#[tokio::test]
async fn an_error_after_a_raise_in_the_same_poll_is_dropped() {
    assert_caught(Left::Dropped, |trace| async {
        let fails = async { Err::<(), BoxError>("an error".into()) };
        tokio::try_join!(raise::<Result<(), BoxError>>(trace), fails)?;
        unreachable!()
    })
    .await;
}

#[tokio::test]
async fn timeout_ends_at_the_raise() {
    assert_caught(Left::Dropped, |trace| async {
        ok(timeout(10 * LIMIT, raise::<String>(trace)).await?)
    })
    .await;
}

#[tokio::test]
async fn nested_timeouts_end_at_the_raise() {
    assert_caught(Left::Dropped, |trace| async {
        let inner = timeout(LIMIT, raise::<String>(trace));
        ok(timeout(Duration::from_secs(1), inner).await??)
    })
    .await;
}

#[tokio::test]
async fn unconstrained_and_cooperative_need_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        let raising = coop::cooperative(raise::<String>(trace));
        ok(coop::unconstrained(raising).await)
    })
    .await;
}

#[tokio::test]
async fn a_raise_needs_no_budget() {
    // tokio lets a task without budget wait, but a raise needs no budget.
    assert_caught(Left::Dropped, |trace| async {
        let (permits, mut received) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..1_000 {
            permits.send(()).unwrap();
        }
        while coop::has_budget_remaining() {
            received.recv().await;
        }
        raise(trace).await
    })
    .await;
}
