//! In async functions, which are all one stack of polls: without unwinding.

use std::{future::Future, pin::Pin};

use futures_util::FutureExt;
use tower_exception::{CloseCode, RaiseAsync, WebSocketException};

use crate::support::*;

#[tokio::test]
async fn where_the_handler_stands() {
    answered(Left::Dropped, raise).await;
}

#[tokio::test]
async fn after_some_waiting() {
    answered(Left::Dropped, |trace| async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        raise(trace).await
    })
    .await;
}

#[tokio::test]
async fn ten_calls_deep_each_of_its_own_type() {
    macro_rules! calls {
        ($($name:ident => $next:ident)*) => {
            $(async fn $name(trace: Trace) -> String {
                let text: String = $next(trace).await;
                text + stringify!($name)
            })*
        };
    }
    calls!(a => b b => c c => d d => e e => f f => g g => h h => i i => j j => raise);
    answered(Left::Dropped, |trace| async { ok(a(trace).await) }).await;
}

#[tokio::test]
async fn in_a_recursion_a_thousand_boxes_deep() {
    fn descend(depth: u32, trace: Trace) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(async move {
            match depth {
                0 => raise(trace).await,
                _ => descend(depth - 1, trace).await + 1,
            }
        })
    }
    answered(Left::Dropped, |trace| async {
        ok(descend(1_000, trace).await.to_string())
    })
    .await;
}

#[tokio::test]
async fn behind_a_trait_object_and_a_stack_of_combinators() {
    answered(Left::Dropped, |trace| {
        raise::<u32>(trace)
            .map(|number| number + 1)
            .boxed()
            .then(|number| async move { number })
            .fuse()
            .inspect(|_| unreachable!())
            .map(|number| ok(number.to_string()))
            .boxed_local()
    })
    .await;
}

#[tokio::test]
async fn a_web_socket_exception_refuses() {
    let refusal = WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("not you");
    let answer = serve(refusal.raise_async::<HttpResult>()).await;
    answer.assert(403, r#"{"detail":"not you"}"#);
}

#[tokio::test]
async fn code_behind_the_await_does_not_run() {
    answered(Left::Dropped, |trace| async {
        let () = raise(trace).await;
        unreachable!()
    })
    .await;
}

#[test]
fn a_raising_future_goes_between_threads_whatever_its_output() {
    fn assert<T: Send + Sync + Unpin>(_: &T) {}
    let raising: RaiseAsync<std::rc::Rc<u8>> = exception().raise_async();
    assert(&raising);
}

#[tokio::test]
async fn nothing_is_raised_before_it_is_polled() {
    let answer = serve(async {
        drop(exception().raise_async::<()>());
        ok("never polled")
    });
    answer.await.assert(200, "never polled");
}

#[tokio::test]
async fn a_future_that_is_done_all_the_same_has_raised() {
    answered(Left::Dropped, |trace| async {
        let raising = std::pin::pin!(raise::<()>(trace));
        assert!(poll_once(raising).await.is_pending());
        ok("too late")
    })
    .await;
}
