//! Section A: scopes of `raise_async` that do not nest, in stackful coroutines.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use corosensei::{Coroutine, CoroutineResult, Yielder};
use tower_exception::{HttpException, catch};

/// Suspends the coroutine in the middle of a poll.
struct Suspend<'a>(&'a Yielder<(), ()>);

impl Future for Suspend<'_> {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.suspend(());
        Poll::Ready(())
    }
}

type Outcome = tower_exception::Result<&'static str>;

/// Returns a coroutine that polls `catch` once, and is suspended in the poll. Then it raises
/// `secret`, if there is one.
fn coroutine(secret: Option<&'static str>) -> Coroutine<(), (), Option<Outcome>> {
    Coroutine::new(move |yielder: &Yielder<(), ()>, ()| {
        let future = catch(async {
            Suspend(yielder).await;
            if let Some(secret) = secret {
                let raised = async {
                    // The scope is filled, and closes only after another suspension.
                    let mut raise = pin!(HttpException::gone(secret).raise_async::<()>());
                    std::future::poll_fn(|cx| {
                        let _ = raise.as_mut().poll(cx);
                        yielder.suspend(());
                        Poll::<()>::Pending
                    })
                    .await;
                };
                raised.await;
            }
            "fine"
        });
        let mut future = pin!(future);
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    })
}

fn step(coroutine: &mut Coroutine<(), (), Option<Outcome>>) -> Option<Option<Outcome>> {
    match coroutine.resume(()) {
        CoroutineResult::Yield(()) => None,
        CoroutineResult::Return(outcome) => Some(outcome),
    }
}

// A3
#[test]
fn a_coroutine_does_not_get_the_exception_of_another_one() {
    let (mut first, mut second) = (coroutine(None), coroutine(Some("second's secret")));
    assert!(step(&mut first).is_none());
    assert!(step(&mut second).is_none());
    // The second one raises, and is suspended with its scope filled.
    assert!(step(&mut second).is_none());
    // The first scope closes while the second one is open and filled.
    let outcome = step(&mut first).unwrap().unwrap();
    assert_eq!(outcome.unwrap(), "fine");
    let outcome = step(&mut second).unwrap().unwrap();
    assert_eq!(outcome.unwrap_err().to_string(), "410: second's secret");
    // The thread is as it was.
    let mut third = coroutine(Some("third's"));
    while step(&mut third).is_none() {}
}

// A3
#[test]
fn coroutines_that_both_raise_get_their_own_exceptions_in_any_order() {
    for first_ends_first in [false, true] {
        let (mut first, mut second) = (coroutine(Some("first's")), coroutine(Some("second's")));
        assert!(step(&mut first).is_none());
        // The first one raises in its scope, before the second one opens another.
        assert!(step(&mut first).is_none());
        assert!(step(&mut second).is_none());
        assert!(step(&mut second).is_none());
        let mut outcomes = Vec::new();
        let order = match first_ends_first {
            true => [(&mut first, "410: first's"), (&mut second, "410: second's")],
            false => [(&mut second, "410: second's"), (&mut first, "410: first's")],
        };
        for (coroutine, expected) in order {
            let outcome = step(coroutine).unwrap().unwrap();
            outcomes.push((outcome.unwrap_err().to_string(), expected));
        }
        for (got, expected) in outcomes {
            assert_eq!(got, expected);
        }
    }
}
