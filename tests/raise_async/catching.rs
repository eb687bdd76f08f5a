//! `catch`: the innermost one takes what is raised inside it, whichever way, and nothing else.

use std::{future::Future, panic::AssertUnwindSafe, pin::pin, task::Poll};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::task::yield_now;
use tower_exception::{CloseCode, Exception, HttpException, WebSocketException, catch};

use crate::support::*;

/// Raises a 410 with this detail, after a wait or at once.
async fn gone<T>(detail: &'static str, waits: bool) -> T {
    if waits {
        yield_now().await;
    }
    HttpException::gone(detail).raise_async().await
}

/// What `catch` gives for `future`, as text.
async fn caught<T>(future: impl Future<Output = T>) -> String {
    match catch(future).await {
        Ok(_) => "nothing".to_owned(),
        Err(exception) => exception.to_string(),
    }
}

#[tokio::test]
async fn under_no_layer() {
    let trace = Trace::default();
    let hooks = hooks_run();
    let result = within_limit(catch(raise::<()>(trace.clone()))).await;
    assert!(matches!(result, Err(Exception::Http(e)) if e.status() == 404));
    assert_eq!(trace.left(), [Left::Dropped]);
    assert_eq!(hooks_run(), hooks);

    let refusal = WebSocketException::new(CloseCode::NORMAL_CLOSURE).with_reason("bye");
    let result = catch(refusal.raise_async::<()>()).await;
    assert!(matches!(result, Err(Exception::WebSocket(e)) if e.reason() == "bye"));
}

#[tokio::test]
async fn what_goes_well_goes_through() {
    assert_eq!(catch(async { 7 }).await.unwrap(), 7);
    let waits = async {
        yield_now().await;
        "an error is an output like any other".parse::<u32>()
    };
    assert!(catch(waits).await.unwrap().is_err());
}

#[tokio::test]
async fn either_way_of_raising() {
    assert_eq!(caught(gone::<()>("async", true)).await, "410: async");
    let raises = async { HttpException::gone("unwinding").raise() };
    assert_eq!(caught::<()>(raises).await, "410: unwinding");
    let as_payload = async { std::panic::resume_unwind(Box::new(HttpException::gone("payload"))) };
    assert_eq!(caught::<()>(as_payload).await, "410: payload");
    let alone = FuturesUnordered::from_iter([gone::<()>("in a context of its own", true)]);
    assert_eq!(caught(alone.count()).await, "410: in a context of its own");
}

#[tokio::test]
async fn the_future_is_dropped_before_the_exception_is_given() {
    let trace = Trace::default();
    let mut catching = pin!(catch(raise::<()>(trace.clone())));
    let Poll::Ready(Err(_)) = poll_once(catching.as_mut()).await else {
        panic!("not caught");
    };
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_panic_goes_through() {
    let panics = async { std::panic::resume_unwind(Box::new("a panic")) };
    let payload = AssertUnwindSafe(catch::<_>(panics.map(|()| ())))
        .catch_unwind()
        .await;
    assert_eq!(payload.unwrap_err().downcast_ref(), Some(&"a panic"));

    let answer = serve(async {
        caught::<()>(async { std::panic::resume_unwind(Box::new("a panic")) }).await;
        ok("caught a panic")
    });
    answer.await.assert_error();
}

#[tokio::test]
async fn the_inner_one_catches_and_the_outer_one_does_not() {
    for waits in [false, true] {
        let outer = caught(async {
            assert_eq!(caught(gone::<()>("inner", waits)).await, "410: inner");
            yield_now().await;
        });
        assert_eq!(outer.await, "nothing");
    }
}

#[tokio::test]
async fn what_is_raised_behind_the_inner_one_is_the_outer_ones() {
    for waits in [false, true] {
        let outer = caught::<()>(async {
            assert_eq!(caught(gone::<()>("inner", waits)).await, "410: inner");
            gone("outer", waits).await
        });
        assert_eq!(outer.await, "410: outer");
    }
}

#[tokio::test]
async fn below_a_layer_the_request_goes_on() {
    let answer = serve(async {
        let text = caught(gone::<()>("inner", true)).await;
        yield_now().await;
        ok(text)
    });
    answer.await.assert(200, "410: inner");
}

#[tokio::test]
async fn an_outer_scope_that_is_filled_already() {
    // The inner `catch` opens, is filled and closes while the outer one has its exception and waits for the
    // poll to end. All of it with one context.
    let inner = std::cell::RefCell::new(String::new());
    let outer = caught(async {
        tokio::join!(gone::<()>("outer", false), async {
            *inner.borrow_mut() = caught(gone::<()>("inner", false)).await;
        })
    });
    assert_eq!(outer.await, "410: outer");
    assert_eq!(*inner.borrow(), "410: inner");
}

#[tokio::test]
async fn an_outer_scope_that_is_filled_while_nothing_is_raised_in_the_inner_one() {
    let outer = caught(async {
        tokio::join!(gone::<()>("outer", false), async {
            assert_eq!(caught(async {}).await, "nothing");
            assert_eq!(caught(yield_now()).await, "never: the outer one has left");
        })
    });
    assert_eq!(outer.await, "410: outer");
}

#[tokio::test]
async fn a_layer_whose_scope_is_filled_and_a_catch_in_it() {
    answered(Left::Dropped, |trace| async {
        let (text, inner) =
            tokio::join!(raise::<String>(trace), caught(gone::<()>("inner", false)));
        ok(text + &inner)
    })
    .await;
}

#[tokio::test]
async fn five_deep_each_catches_its_own() {
    fn level(depth: u8) -> std::pin::Pin<Box<dyn Future<Output = String>>> {
        Box::pin(async move {
            if depth == 0 {
                return String::new();
            }
            let caught = caught(async {
                let inner = level(depth - 1).await;
                yield_now().await;
                HttpException::gone(format!("{depth}{inner}"))
                    .raise_async::<()>()
                    .await
            });
            caught.await.replace("410: ", " ")
        })
    }
    assert_eq!(within_limit(level(5)).await, " 5 4 3 2 1");
}

#[tokio::test]
async fn two_raises_in_one_join_the_first_wins() {
    for waits in [false, true] {
        let outer = caught(async {
            futures_util::join!(gone::<()>("first", waits), gone::<()>("second", waits))
        });
        assert_eq!(outer.await, "410: first");
    }
    // Neither needs an unwinding.
    let trace = Trace::default();
    let (first, second) = (raise::<()>(trace.clone()), raise::<()>(trace.clone()));
    caught(futures_util::future::join(first, second)).await;
    assert_eq!(trace.left(), [Left::Dropped, Left::Dropped]);
    // In whatever ways they raise.
    let outer = caught(async {
        futures_util::join!(gone::<()>("first", false), async {
            HttpException::gone("second").raise()
        })
    });
    assert_eq!(outer.await, "410: first");
    let outer = caught(async {
        futures_util::join!(
            async { HttpException::gone("first").raise() },
            gone::<()>("second", false)
        )
    });
    assert_eq!(outer.await, "410: first");
}

#[tokio::test]
async fn a_panic_in_the_same_poll_comes_too_late() {
    let outer = caught(async {
        futures_util::join!(gone::<()>("first", false), async {
            std::panic::resume_unwind(Box::new("a panic"))
        })
    });
    assert_eq!(outer.await, "410: first");
}

#[tokio::test]
async fn a_catch_in_a_context_of_its_own() {
    let trace = Trace::default();
    let catching = FuturesUnordered::from_iter([caught(raise::<()>(trace.clone()))]);
    let caught = within_limit(catching.collect::<Vec<_>>()).await;
    assert_eq!(caught, [exception().to_string()]);
    assert_eq!(trace.left(), [Left::Dropped]);

    // The same where a layer is around it: the innermost scope has that context.
    let trace = Trace::default();
    let answer = serve(async {
        let catching = FuturesUnordered::from_iter([self::caught(raise::<()>(trace.clone()))]);
        ok(catching.collect::<Vec<_>>().await.concat())
    });
    answer.await.assert(200, exception().to_string());
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn polled_again_after_it_raised_it_stays_pending() {
    let trace = Trace::default();
    let mut raising = pin!(raise::<()>(trace.clone()));
    assert_eq!(caught(raising.as_mut()).await, exception().to_string());
    // The future is borrowed, so it is still there, with what it holds.
    assert_eq!(trace.left(), []);
    let mut again = pin!(catch(raising.as_mut()));
    for _ in 0..3 {
        assert!(poll_once(again.as_mut()).await.is_pending());
        yield_now().await;
    }
    // Nor does it raise where nothing catches.
    assert!(poll_once(raising.as_mut()).await.is_pending());
}

#[tokio::test]
async fn a_future_that_is_held_elsewhere_raises_for_who_polls_it() {
    let mut held = pin!(raise::<String>(Trace::default()));
    serve(held.as_mut().map(ok)).await.assert_exception();
    // In a later request it is a future that never ends, and not that request's exception.
    let answer = serve(async {
        tokio::select! {
            text = held.as_mut() => ok(text),
            () = yield_now() => ok("waited"),
        }
    });
    answer.await.assert(200, "waited");
}
