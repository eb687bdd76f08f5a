//! In tokio's combinators, which poll what they hold with the context that they are polled with: without
//! unwinding.

use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    task::{coop, yield_now},
    time::timeout,
};

use crate::support::*;

#[tokio::test]
async fn select_beside_a_branch_that_waits() {
    answered(Left::Dropped, |trace| async {
        tokio::select! {
            text = raise::<String>(trace) => ok(text),
            () = pending() => unreachable!(),
        }
    })
    .await;
}

#[tokio::test]
async fn select_beside_a_branch_that_is_ready() {
    let went_on = AtomicBool::new(false);
    answered(Left::Dropped, |trace| async {
        tokio::select! {
            biased;
            () = raise(trace) => unreachable!(),
            () = async {} => {}
        }
        // `select!` is done, so this still runs, to the next `.await` that has to wait.
        went_on.store(true, Ordering::Relaxed);
        async {}.await;
        yield_now().await;
        unreachable!()
    })
    .await;
    assert!(went_on.load(Ordering::Relaxed));
}

#[tokio::test]
async fn select_whose_ready_branch_answers_at_once() {
    answered(Left::Dropped, |trace| async {
        tokio::select! {
            biased;
            () = raise(trace) => unreachable!(),
            () = async {} => ok("thrown away: what was raised first wins"),
        }
    })
    .await;
}

#[tokio::test]
async fn select_that_is_done_before_the_raising_branch_is_polled() {
    let answer = serve(async {
        tokio::select! {
            biased;
            () = async {} => ok("nothing was raised"),
            () = exception().raise_async() => unreachable!(),
        }
    });
    answer.await.assert(200, "nothing was raised");
}

#[tokio::test]
async fn select_in_any_order_answers_one_or_the_other() {
    for _ in 0..100 {
        let answer = serve(async {
            tokio::select! {
                () = exception().raise_async() => unreachable!(),
                () = async {} => ok("ready"),
            }
        });
        let answer = answer.await;
        match answer.status.as_u16() {
            200 => answer.assert(200, "ready"),
            _ => answer.assert_exception(),
        }
    }
}

#[tokio::test]
async fn join() {
    let others = Trace::default();
    answered(Left::Dropped, |trace| async {
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
async fn join_later_than_the_others() {
    answered(Left::Dropped, |trace| async {
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
async fn try_join() {
    answered(Left::Dropped, |trace| async {
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
async fn an_error_in_the_same_poll_comes_too_late() {
    answered(Left::Dropped, |trace| async {
        let fails = async { Err::<(), BoxError>("an error".into()) };
        tokio::try_join!(raise::<Result<(), BoxError>>(trace), fails)?;
        unreachable!()
    })
    .await;
}

#[tokio::test]
async fn timeout_answers_before_the_time_is_over() {
    answered(Left::Dropped, |trace| async {
        ok(timeout(10 * LIMIT, raise::<String>(trace)).await?)
    })
    .await;
}

#[tokio::test]
async fn timeout_around_timeout() {
    answered(Left::Dropped, |trace| async {
        let inner = timeout(LIMIT, raise::<String>(trace));
        ok(timeout(Duration::from_secs(1), inner).await??)
    })
    .await;
}

#[tokio::test]
async fn unconstrained_and_cooperative() {
    answered(Left::Dropped, |trace| async {
        let raising = coop::cooperative(raise::<String>(trace));
        ok(coop::unconstrained(raising).await)
    })
    .await;
}

#[tokio::test]
async fn with_no_budget_left() {
    // tokio makes a task that has used up its budget wait; a raise needs none.
    answered(Left::Dropped, |trace| async {
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
