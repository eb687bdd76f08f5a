//! Raises in the combinators of the crate `futures`. Combinators that pass on the context that they
//! are polled with need no unwinding. Combinators that make contexts of their own do.

use std::{
    future::{Future, pending, ready},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
};

use futures_executor::block_on;
use futures_util::{
    FutureExt, StreamExt, TryStreamExt,
    future::{AbortHandle, Abortable, join_all, select_all, try_join_all},
    stream::{self, FuturesOrdered, FuturesUnordered},
};

use crate::{guard::*, request::*};

type Part = Pin<Box<dyn Future<Output = String> + Send>>;

/// Returns this number of futures, the last of which raises.
fn parts(trace: Trace, number: usize) -> Vec<Part> {
    let mut parts: Vec<Part> = (1..number)
        .map(|_| ready("part".to_owned()).boxed())
        .collect();
    parts.push(raise(trace).boxed());
    parts
}

#[tokio::test]
async fn join_and_select_need_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        let (text, ()) = futures_util::join!(raise::<String>(trace), pending());
        ok(text)
    })
    .await;
    assert_caught(Left::Dropped, |trace| async {
        let mut raising = pin!(raise::<String>(trace).fuse());
        let mut waiting = pending::<()>().fuse();
        futures_util::select_biased! {
            text = raising => ok(text),
            () = waiting => unreachable!(),
        }
    })
    .await;
    assert_caught(Left::Dropped, |trace| async {
        let (text, _, _) = select_all([raise(trace).boxed(), pending::<String>().boxed()]).await;
        ok(text)
    })
    .await;
}

#[tokio::test]
async fn join_all_of_up_to_thirty_needs_no_unwinding() {
    for number in [1, 2, 30] {
        assert_caught(Left::Dropped, |trace| async move {
            ok(join_all(parts(trace, number)).await.concat())
        })
        .await;
    }
}

#[tokio::test]
async fn join_all_of_more_unwinds() {
    for number in [31, 500] {
        assert_caught(Left::Unwound, |trace| async move {
            ok(join_all(parts(trace, number)).await.concat())
        })
        .await;
    }
}

#[tokio::test]
async fn try_join_all_behaves_as_join_all() {
    for (number, left) in [(30, Left::Dropped), (31, Left::Unwound)] {
        assert_caught(left, |trace| async move {
            let parts = parts(trace, number).into_iter();
            let parts = parts.map(|part| part.map(Ok::<_, BoxError>));
            ok(try_join_all(parts).await?.concat())
        })
        .await;
    }
}

#[tokio::test]
async fn futures_unordered_unwinds() {
    assert_caught(Left::Unwound, |trace| async {
        let parts = FuturesUnordered::from_iter(parts(trace, 3));
        ok(parts.collect::<Vec<_>>().await.concat())
    })
    .await;
}

#[tokio::test]
async fn futures_ordered_unwinds() {
    assert_caught(Left::Unwound, |trace| async {
        let parts = FuturesOrdered::from_iter(parts(trace, 3));
        ok(parts.collect::<Vec<_>>().await.concat())
    })
    .await;
}

#[tokio::test]
async fn buffered_and_buffer_unordered_unwind() {
    assert_caught(Left::Unwound, |trace| async {
        let parts = stream::iter(parts(trace, 5)).buffer_unordered(2);
        ok(parts.collect::<Vec<_>>().await.concat())
    })
    .await;
    assert_caught(Left::Unwound, |trace| async {
        let parts = stream::iter(parts(trace, 5)).buffered(2);
        ok(parts.collect::<Vec<_>>().await.concat())
    })
    .await;
}

#[tokio::test]
async fn for_each_needs_no_unwinding_and_its_concurrent_forms_unwind() {
    assert_caught(Left::Dropped, |trace| async {
        let one_by_one = stream::iter(parts(trace, 3));
        one_by_one.for_each(|part| part.map(drop)).await;
        ok("")
    })
    .await;
    assert_caught(Left::Unwound, |trace| async {
        let at_once = stream::iter(parts(trace, 3));
        at_once.for_each_concurrent(2, |part| part.map(drop)).await;
        ok("")
    })
    .await;
    assert_caught(Left::Unwound, |trace| async {
        let at_once = stream::iter(parts(trace, 3)).map(Ok::<_, BoxError>);
        at_once
            .try_for_each_concurrent(2, |part| part.map(|_| Ok(())))
            .await?;
        ok("")
    })
    .await;
}

#[tokio::test]
async fn a_stream_awaited_item_by_item_needs_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        let mut texts = pin!(stream::iter(parts(trace, 3)).then(|part| part).peekable());
        let mut whole = String::new();
        while let Some(text) = texts.next().await {
            whole.push_str(&text);
        }
        ok(whole)
    })
    .await;
}

#[tokio::test]
async fn now_or_never_unwinds() {
    assert_caught(Left::Unwound, |trace| async {
        ok(raise::<String>(trace).now_or_never().unwrap_or_default())
    })
    .await;
}

#[tokio::test]
async fn nested_block_on_unwinds() {
    assert_caught(Left::Unwound, |trace| async {
        ok(block_on(raise::<String>(trace)))
    })
    .await;
}

#[tokio::test]
async fn shared_unwinds() {
    assert_caught(Left::Unwound, |trace| async {
        let shared = raise::<String>(trace).shared();
        let other = shared.clone();
        let (text, _) = futures_util::join!(shared, other);
        ok(text)
    })
    .await;
}

#[tokio::test]
async fn other_clones_of_a_shared_future_panic() {
    let trace = Trace::default();
    let shared = raise::<String>(trace.clone()).shared();
    serve(shared.clone().map(ok)).await.assert_exception();
    assert_eq!(trace.left(), [Left::Unwound]);
    // `Shared` panics with a message of its own, hook and all.
    let hooks = panic_hook_runs();
    assert!(AssertUnwindSafe(shared).catch_unwind().await.is_err());
    assert_eq!(panic_hook_runs(), hooks + 1);
}

#[tokio::test]
async fn abortable_and_catch_unwind_need_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        let (_handle, registration) = AbortHandle::new_pair();
        let text = Abortable::new(raise::<String>(trace), registration).await;
        ok(text?)
    })
    .await;
    assert_caught(Left::Dropped, |trace| async {
        let raising = AssertUnwindSafe(raise::<String>(trace));
        match raising.catch_unwind().await {
            Ok(text) => ok(text),
            Err(_) => unreachable!("there is no unwinding to be caught"),
        }
    })
    .await;
}

#[tokio::test]
async fn try_collect_needs_no_unwinding() {
    assert_caught(Left::Dropped, |trace| async {
        let texts = stream::once(raise::<Result<String, BoxError>>(trace));
        ok(texts.try_collect::<Vec<_>>().await?.concat())
    })
    .await;
}
