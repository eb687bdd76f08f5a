//! Destructors of an abandoned request: each runs once, in order, and no other code runs.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::stream::FuturesUnordered;
use tokio::{sync::Notify, task::JoinSet};

use crate::{guard::*, request::*};

#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<&'static str>>>);

struct Named(Order, &'static str);

impl Order {
    fn named(&self, name: &'static str) -> Named {
        Named(self.clone(), name)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

#[derive(Clone, Copy)]
enum Way {
    Dropped,
    UnwoundByRaiseAsync,
    UnwoundByRaise,
}

async fn outer(order: Order, way: Way) -> HttpResult {
    let _first = order.named("outer, first");
    let _second = order.named("outer, second");
    inner(&order, way).await;
    let _never = order.named("outer, after the call");
    ok("went on")
}

async fn inner(order: &Order, way: Way) {
    let _first = order.named("inner, first");
    tokio::task::yield_now().await;
    let _second = order.named("inner, second");
    match way {
        Way::Dropped => exception().raise_async().await,
        Way::UnwoundByRaiseAsync => {
            let alone = FuturesUnordered::from_iter([exception().raise_async::<()>()]);
            futures_util::StreamExt::count(alone).await;
        }
        Way::UnwoundByRaise => exception().raise(),
    }
    let _never = order.named("inner, after it raised");
}

#[tokio::test]
async fn destructors_run_from_the_inside_out_by_every_mechanism() {
    for way in [Way::Dropped, Way::UnwoundByRaiseAsync, Way::UnwoundByRaise] {
        let order = Order::default();
        serve(outer(order.clone(), way)).await.assert_exception();
        assert_eq!(
            *order.0.lock().unwrap(),
            [
                "inner, second",
                "inner, first",
                "outer, second",
                "outer, first"
            ],
        );
    }
}

/// An error that counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counted")
    }
}

impl std::error::Error for Counted {}

#[tokio::test]
async fn the_source_of_each_exception_is_dropped_once() {
    let drops = Arc::new(AtomicU32::new(0));
    let raising = || {
        exception()
            .with_source(Counted(drops.clone()))
            .raise_async::<()>()
    };
    // The second exception comes too late, and the third future is never polled.
    let never = raising();
    let response = serve(async {
        tokio::join!(raising(), raising());
        never.await;
        ok("")
    });
    response.await.assert_exception();
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_destructor_that_panics_does_not_change_the_response() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("in a destructor"));
        }
    }
    assert_caught(Left::Dropped, |trace| async {
        let _bomb = Bomb;
        raise(trace).await
    })
    .await;
}

#[tokio::test]
async fn a_destructor_that_raises_does_not_change_the_response() {
    struct Raises;
    impl Drop for Raises {
        fn drop(&mut self) {
            tower_exception::HttpException::gone("from a destructor").raise();
        }
    }
    assert_caught(Left::Dropped, |trace| async {
        let _raises = Raises;
        raise(trace).await
    })
    .await;
}

#[tokio::test]
async fn a_lock_is_free_when_the_response_is_ready() {
    let lock = tokio::sync::Mutex::new(());
    assert_caught(Left::Dropped, |trace| async {
        let _held = lock.lock().await;
        raise(trace).await
    })
    .await;
    assert!(lock.try_lock().is_ok());
}

#[tokio::test]
async fn a_once_cell_stays_empty_for_the_next_request() {
    let cell = tokio::sync::OnceCell::<u32>::new();
    assert_caught(Left::Dropped, |trace| async {
        ok(cell.get_or_init(|| raise(trace)).await.to_string())
    })
    .await;
    let response = serve(async { ok(cell.get_or_init(|| async { 7 }).await.to_string()) });
    response.await.assert(200, "7");
}

#[tokio::test]
async fn a_spawned_task_goes_on_and_a_task_in_a_join_set_does_not() {
    let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let ended = Arc::new(AtomicU32::new(0));
    assert_caught(Left::Dropped, |trace| async {
        let (go, done) = (go.clone(), done.clone());
        tokio::spawn(async move {
            go.notified().await;
            done.notify_one();
        });
        let ended = Counted(ended.clone());
        let mut set = JoinSet::new();
        set.spawn(async move {
            let _ended = ended;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        raise(trace).await
    })
    .await;
    go.notify_one();
    within(done.notified()).await;
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}
