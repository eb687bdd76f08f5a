//! Raises in async functions, which are one stack of polls, and need no unwinding.

use std::{future::Future, pin::Pin};

use futures_util::FutureExt;
use tower_exception::{CloseCode, RaiseAsync, WebSocketException};

use crate::{guard::*, request::*};

#[tokio::test]
async fn a_handler_may_raise() {
    assert_caught(Left::Dropped, raise).await;
}

#[tokio::test]
async fn a_handler_may_raise_after_pending_polls() {
    assert_caught(Left::Dropped, |trace| async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        raise(trace).await
    })
    .await;
}

#[tokio::test]
async fn a_function_ten_calls_deep_may_raise() {
    macro_rules! calls {
        ($($name:ident => $next:ident)*) => {
            $(async fn $name(trace: Trace) -> String {
                let text: String = $next(trace).await;
                text + stringify!($name)
            })*
        };
    }
    calls!(a => b b => c c => d d => e e => f f => g g => h h => i i => j j => raise);
    assert_caught(Left::Dropped, |trace| async { ok(a(trace).await) }).await;
}

#[tokio::test]
async fn a_recursion_a_thousand_boxes_deep_may_raise() {
    fn descend(depth: u32, trace: Trace) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(async move {
            match depth {
                0 => raise(trace).await,
                _ => descend(depth - 1, trace).await + 1,
            }
        })
    }
    assert_caught(Left::Dropped, |trace| async {
        ok(descend(1_000, trace).await.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_future_in_trait_objects_and_combinators_may_raise() {
    assert_caught(Left::Dropped, |trace| {
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
async fn a_websocket_exception_is_a_403() {
    let refusal = WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason("not you");
    let response = serve(refusal.raise_async::<HttpResult>()).await;
    response.assert(403, r#"{"detail":"not you"}"#);
}

#[tokio::test]
async fn code_after_the_await_does_not_run() {
    assert_caught(Left::Dropped, |trace| async {
        let () = raise(trace).await;
        unreachable!()
    })
    .await;
}

#[test]
fn a_raising_future_is_send_and_sync_for_every_output() {
    fn assert<T: Send + Sync + Unpin>(_: &T) {}
    let raising: RaiseAsync<std::rc::Rc<u8>> = exception().raise_async();
    assert(&raising);
}

#[tokio::test]
async fn nothing_is_raised_before_it_is_polled() {
    let response = serve(async {
        drop(exception().raise_async::<()>());
        ok("never polled")
    });
    response.await.assert(200, "never polled");
}

#[tokio::test]
async fn a_handler_that_ignores_a_raise_in_its_last_poll_has_raised() {
    assert_caught(Left::Dropped, |trace| async {
        let raising = std::pin::pin!(raise::<()>(trace));
        assert!(poll_once(raising).await.is_pending());
        ok("too late")
    })
    .await;
}
