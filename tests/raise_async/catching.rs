//! `catch`: the innermost one catches everything that is raised inside of it, and nothing else.

use std::{future::Future, panic::AssertUnwindSafe, pin::pin, task::Poll};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::task::yield_now;
use tower_exception::{CloseCode, HttpException, WebSocketException, catch};

use crate::{guard::*, request::*};

/// Raises a 410 with this detail, at once or after one pending poll.
async fn gone<T>(detail: &'static str, waits: bool) -> T {
    if waits {
        yield_now().await;
    }
    HttpException::gone(detail).raise_async().await
}

/// Returns the result of `catch` for `future` as text.
async fn caught<T>(future: impl Future<Output = T>) -> String {
    match catch(future).await {
        Ok(_) => "nothing".to_owned(),
        Err(exception) => exception.to_string(),
    }
}

#[tokio::test]
async fn catch_needs_no_layer() {
    let trace = Trace::default();
    let hooks = panic_hook_runs();
    let result = within(catch(raise::<()>(trace.clone()))).await;
    assert!(
        matches!(result, Err(e) if e.downcast_ref::<HttpException>().is_some_and(|e| e.status() == 404))
    );
    assert_eq!(trace.left(), [Left::Dropped]);
    assert_eq!(panic_hook_runs(), hooks);

    let refusal = WebSocketException::new(CloseCode::NORMAL_CLOSURE).with_reason("bye");
    let result = catch(refusal.raise_async::<()>()).await;
    assert!(
        matches!(result, Err(e) if e.downcast_ref::<WebSocketException>().is_some_and(|e| e.reason() == "bye"))
    );
}

#[tokio::test]
async fn an_output_passes_through_catch() {
    assert_eq!(catch(async { 7 }).await.unwrap(), 7);
    let waits = async {
        yield_now().await;
        "an error is an output like any other".parse::<u32>()
    };
    assert!(catch(waits).await.unwrap().is_err());
}

#[tokio::test]
async fn catch_catches_every_mechanism() {
    assert_eq!(caught(gone::<()>("async", true)).await, "410: async");
    let raises = async { HttpException::gone("unwinding").raise() };
    assert_eq!(caught::<()>(raises).await, "410: unwinding");
    let as_payload = async { std::panic::resume_unwind(Box::new(HttpException::gone("payload"))) };
    assert_eq!(caught::<()>(as_payload).await, "410: payload");
    let alone = FuturesUnordered::from_iter([gone::<()>("in a context of its own", true)]);
    assert_eq!(caught(alone.count()).await, "410: in a context of its own");
}

#[tokio::test]
async fn the_future_is_dropped_before_the_exception_is_returned() {
    let trace = Trace::default();
    let mut catching = pin!(catch(raise::<()>(trace.clone())));
    let Poll::Ready(Err(_)) = poll_once(catching.as_mut()).await else {
        panic!("not caught");
    };
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_panic_passes_through_catch() {
    let panics = async { std::panic::resume_unwind(Box::new("a panic")) };
    let payload = AssertUnwindSafe(catch::<_>(panics.map(|()| ())))
        .catch_unwind()
        .await;
    assert_eq!(payload.unwrap_err().downcast_ref(), Some(&"a panic"));

    let response = serve(async {
        caught::<()>(async { std::panic::resume_unwind(Box::new("a panic")) }).await;
        ok("caught a panic")
    });
    response.await.assert_error();
}

#[tokio::test]
async fn the_inner_catch_catches_and_the_outer_one_does_not() {
    for waits in [false, true] {
        let outer = caught(async {
            assert_eq!(caught(gone::<()>("inner", waits)).await, "410: inner");
            yield_now().await;
        });
        assert_eq!(outer.await, "nothing");
    }
}

#[tokio::test]
async fn a_raise_after_the_inner_catch_is_caught_by_the_outer_one() {
    for waits in [false, true] {
        let outer = caught::<()>(async {
            assert_eq!(caught(gone::<()>("inner", waits)).await, "410: inner");
            gone("outer", waits).await
        });
        assert_eq!(outer.await, "410: outer");
    }
}

#[tokio::test]
async fn the_request_goes_on_after_a_catch() {
    let response = serve(async {
        let text = caught(gone::<()>("inner", true)).await;
        yield_now().await;
        ok(text)
    });
    response.await.assert(200, "410: inner");
}

#[tokio::test]
async fn an_inner_catch_works_while_the_outer_one_has_its_exception() {
    // The inner `catch` opens, gets an exception and closes, while the outer one has its exception
    // and waits for the end of the poll. All of this happens with one context.
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
async fn the_outer_catch_wins_if_nothing_is_raised_in_the_inner_one() {
    let outer = caught(async {
        tokio::join!(gone::<()>("outer", false), async {
            assert_eq!(caught(async {}).await, "nothing");
            assert_eq!(caught(yield_now()).await, "never: the outer one has left");
        })
    });
    assert_eq!(outer.await, "410: outer");
}

#[tokio::test]
async fn a_catch_works_below_a_layer_that_has_its_exception() {
    assert_caught(Left::Dropped, |trace| async {
        let (text, inner) =
            tokio::join!(raise::<String>(trace), caught(gone::<()>("inner", false)));
        ok(text + &inner)
    })
    .await;
}

#[tokio::test]
async fn five_nested_catches_catch_their_own() {
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
    assert_eq!(within(level(5)).await, " 5 4 3 2 1");
}

#[tokio::test]
async fn of_two_raises_in_one_join_the_first_wins() {
    for waits in [false, true] {
        let outer = caught(async {
            futures_util::join!(gone::<()>("first", waits), gone::<()>("second", waits))
        });
        assert_eq!(outer.await, "410: first");
    }
    // Neither raise unwinds.
    let trace = Trace::default();
    let (first, second) = (raise::<()>(trace.clone()), raise::<()>(trace.clone()));
    caught(futures_util::future::join(first, second)).await;
    assert_eq!(trace.left(), [Left::Dropped, Left::Dropped]);
    // The mechanisms do not matter.
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
async fn a_panic_after_a_raise_in_the_same_poll_is_dropped() {
    let outer = caught(async {
        futures_util::join!(gone::<()>("first", false), async {
            std::panic::resume_unwind(Box::new("a panic"))
        })
    });
    assert_eq!(outer.await, "410: first");
}

#[tokio::test]
async fn a_catch_works_in_a_context_of_its_own() {
    let trace = Trace::default();
    let catching = FuturesUnordered::from_iter([caught(raise::<()>(trace.clone()))]);
    let caught = within(catching.collect::<Vec<_>>()).await;
    assert_eq!(caught, [exception().to_string()]);
    assert_eq!(trace.left(), [Left::Dropped]);

    // It also holds below a layer: the innermost scope has that context.
    let trace = Trace::default();
    let response = serve(async {
        let catching = FuturesUnordered::from_iter([self::caught(raise::<()>(trace.clone()))]);
        ok(catching.collect::<Vec<_>>().await.concat())
    });
    response.await.assert(200, exception().to_string());
    assert_eq!(trace.left(), [Left::Dropped]);
}

#[tokio::test]
async fn a_future_polled_again_after_it_raised_stays_pending() {
    let trace = Trace::default();
    let mut raising = pin!(raise::<()>(trace.clone()));
    assert_eq!(caught(raising.as_mut()).await, exception().to_string());
    // The future is borrowed, so it still exists with its locals.
    assert_eq!(trace.left(), []);
    let mut again = pin!(catch(raising.as_mut()));
    for _ in 0..3 {
        assert!(poll_once(again.as_mut()).await.is_pending());
        yield_now().await;
    }
    // It does not raise outside of a `catch` either.
    assert!(poll_once(raising.as_mut()).await.is_pending());
}

#[tokio::test]
async fn a_borrowed_future_raises_for_its_first_caller_only() {
    let mut held = pin!(raise::<String>(Trace::default()));
    serve(held.as_mut().map(ok)).await.assert_exception();
    // In a later request the future is pending forever, and does not raise again.
    let response = serve(async {
        tokio::select! {
            text = held.as_mut() => ok(text),
            () = yield_now() => ok("waited"),
        }
    });
    response.await.assert(200, "waited");
}
