//! Exceptions that one WebSocket raises while other ones are in the same task or on the same
//! thread. Another client never receives their text.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, panic_any, resume_unwind},
    rc::Rc,
    thread,
    time::Duration,
};

use axum::extract::ws::{Message, WebSocket};
use futures_executor::LocalPool;
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    future::{join_all, pending},
    stream::FuturesUnordered,
    task::LocalSpawnExt,
};
use tokio::sync::mpsc;
use tower_exception::{CloseCode, WebSocketException};

use crate::support::websocket::*;

const FOR_A: &str = "for client A only";

fn for_client_a() -> WebSocketException {
    WebSocketException::new(CloseCode::POLICY_VIOLATION).with_reason(FOR_A)
}

/// Connects two clients to a server that hands both of its sockets to the test.
async fn two_sockets() -> ([WebSocket; 2], [WebSocketClient; 2]) {
    let (sender, mut sockets) = mpsc::unbounded_channel();
    let hand_over = bare(move |socket| {
        let sender = sender.clone();
        async move {
            sender
                .send(socket)
                .unwrap_or_else(|_| panic!("{SECRET_TEXT}"))
        }
    });
    let address = serve(app(hand_over, websocket_layer())).await;
    let a = connect(address, "/").await;
    let socket_a = within(sockets.recv()).await.unwrap();
    let b = connect(address, "/").await;
    let socket_b = within(sockets.recv()).await.unwrap();
    ([socket_a, socket_b], [a, b])
}

/// Receives a command and fails as it says.
async fn play(mut socket: WebSocket) {
    let Some(Ok(Message::Text(command))) = socket.recv().await else {
        return;
    };
    fail(&command).await;
    pending::<()>().await;
}

async fn fail(command: &str) {
    match command {
        "raise" => for_client_a().raise(),
        "raise_async" => for_client_a().raise_async().await,
        "raise deep" => join_all([async { for_client_a().raise() }]).await[0],
        "panic" => panic!("{SECRET_TEXT}"),
        "panic later" => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            panic!("{SECRET_TEXT}");
        }
        "panic_any" => panic_any(0),
        other => panic!("{other}"),
    }
}

/// Plays, and returns the payload of a failure.
async fn play_caught(socket: WebSocket) -> Option<Box<dyn Any + Send>> {
    AssertUnwindSafe(play(socket)).catch_unwind().await.err()
}

async fn send(client: &mut WebSocketClient, command: &str) {
    within(client.send(command.into())).await.unwrap();
}

/// A2
#[tokio::test]
async fn a_client_does_not_get_the_exception_of_another_one_in_the_same_task() {
    for raise in ["raise", "raise_async", "raise deep"] {
        for panic in ["panic", "panic later", "panic_any"] {
            let (sockets, [mut a, mut b]) = two_sockets().await;
            // The task keeps the payload of the first failure until both have failed.
            tokio::spawn(join_all(sockets.map(play_caught)));
            if panic == "panic later" {
                // No socket is polled between the two failures.
                send(&mut b, panic).await;
            }
            send(&mut a, raise).await;
            assert_eq!(closed(&mut a).await, code(1008, FOR_A), "{raise}");
            if panic != "panic later" {
                send(&mut b, panic).await;
            }
            assert_eq!(closed(&mut b).await, code(1011, ""), "{raise}, {panic}");
        }
    }
}

/// A2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_does_not_get_the_exception_of_another_one_on_several_threads() {
    for _ in 0..50 {
        let (sockets, [mut a, mut b]) = two_sockets().await;
        tokio::spawn(join_all(sockets.map(play_caught)));
        send(&mut a, "raise").await;
        assert_eq!(closed(&mut a).await, code(1008, FOR_A));
        send(&mut b, "panic").await;
        assert_eq!(closed(&mut b).await, code(1011, ""));
    }
}

/// A2
#[tokio::test]
async fn a_client_does_not_get_an_exception_that_is_resumed_in_its_task() {
    let (sockets, [mut a, mut b]) = two_sockets().await;
    let [socket_a, mut socket_b] = sockets;
    tokio::spawn(async move {
        let raised = play_caught(socket_a).await.unwrap();
        socket_b.recv().await;
        resume_unwind(raised);
    });
    send(&mut a, "raise").await;
    assert_eq!(closed(&mut a).await, code(1008, FOR_A));
    send(&mut b, "anything").await;
    assert_eq!(closed(&mut b).await, code(1011, ""));
}

/// A2
#[tokio::test]
async fn a_client_does_not_get_the_exception_of_a_spawned_task() {
    let (sockets, [mut a, mut b]) = two_sockets().await;
    let [socket_a, mut socket_b] = sockets;
    tokio::spawn(async move {
        let kept = tokio::spawn(play(socket_a)).await.unwrap_err();
        socket_b.recv().await;
        panic!("{SECRET_TEXT}: {kept}");
    });
    send(&mut a, "raise").await;
    assert_eq!(closed(&mut a).await, code(1008, FOR_A));
    send(&mut b, "anything").await;
    assert_eq!(closed(&mut b).await, code(1011, ""));
}

/// A2
#[tokio::test]
async fn a_client_does_not_get_an_exception_whose_socket_is_not_dropped() {
    let (sockets, [mut a, mut b]) = two_sockets().await;
    let [mut socket_a, socket_b] = sockets;
    tokio::spawn(async move {
        let first = async {
            let raised = AssertUnwindSafe(async {
                socket_a.recv().await;
                for_client_a().raise()
            });
            let raised = raised.catch_unwind().await.map(|()| {});
            pending::<()>().await;
            drop(raised);
        };
        tokio::join!(first, play_caught(socket_b));
    });
    send(&mut b, "panic later").await;
    send(&mut a, "anything").await;
    assert_eq!(closed(&mut b).await, code(1011, ""));
}

/// A2
#[tokio::test]
async fn a_client_does_not_get_the_exception_of_another_one_on_another_executor() {
    let (sockets, [mut a, mut b]) = two_sockets().await;
    let executor = thread::spawn(move || {
        let mut pool = LocalPool::new();
        let kept = Rc::new(RefCell::new(Vec::new()));
        for socket in sockets {
            let kept = Rc::clone(&kept);
            let task = async move {
                let payload = play_caught(socket).await;
                kept.borrow_mut().push(payload);
            };
            pool.spawner().spawn_local(task).unwrap();
        }
        pool.run();
        assert_eq!(kept.borrow().len(), 2);
    });
    send(&mut a, "raise").await;
    assert_eq!(closed(&mut a).await, code(1008, FOR_A));
    send(&mut b, "panic").await;
    assert_eq!(closed(&mut b).await, code(1011, ""));
    executor.join().unwrap();
}

/// A2
#[tokio::test]
async fn an_exception_of_a_task_that_owns_several_sockets_is_for_none_of_them() {
    for with_broadcast in [false, true] {
        for _ in 0..10 {
            let (sockets, [mut a, mut b]) = two_sockets().await;
            tokio::spawn(async move {
                let [mut socket_a, mut socket_b] = sockets;
                tokio::select! {
                    _ = socket_a.recv() => {
                        if with_broadcast {
                            socket_b.send("hello".into()).await.unwrap();
                        }
                        for_client_a().raise()
                    }
                    _ = socket_b.recv() => {}
                }
            });
            send(&mut a, "anything").await;
            if with_broadcast {
                assert_eq!(closed_after(&mut b, &["hello"]).await, code(1011, ""));
            } else {
                assert_eq!(closed(&mut b).await, code(1011, ""));
            }
            assert_eq!(closed(&mut a).await, code(1011, ""));
        }
    }
}

/// A2
#[tokio::test]
async fn an_exception_of_a_task_that_collects_sockets_is_for_none_of_them() {
    let (sockets, [mut a, mut b]) = two_sockets().await;
    tokio::spawn(async move {
        let receiving = sockets.map(|socket| socket.into_future());
        let mut receiving: FuturesUnordered<_> = receiving.into_iter().collect();
        let _message = receiving.next().await;
        for_client_a().raise()
    });
    send(&mut a, "anything").await;
    assert_eq!(closed(&mut b).await, code(1011, ""));
    // Its socket alone was out of the collection, and was polled last.
    assert_eq!(closed(&mut a).await.0, 1011);
}

/// A2
#[tokio::test]
async fn a_socket_that_waits_in_a_queue_does_not_get_the_exception_of_its_owner() {
    let (sockets, [mut a, mut b]) = two_sockets().await;
    let [mut socket_a, socket_b] = sockets;
    let (sender, queue) = mpsc::unbounded_channel();
    sender
        .send(socket_b)
        .unwrap_or_else(|_| panic!("{SECRET_TEXT}"));
    tokio::spawn(async move {
        let _queue = queue;
        socket_a.recv().await;
        for_client_a().raise()
    });
    send(&mut a, "anything").await;
    assert_eq!(closed(&mut b).await, code(1011, ""));
    assert_eq!(closed(&mut a).await.0, 1011);
}

/// A2
#[tokio::test]
async fn a_client_gets_the_exception_of_its_own_task() {
    for command in ["raise", "raise_async", "raise deep"] {
        let (sockets, [mut a, mut b]) = two_sockets().await;
        for socket in sockets {
            tokio::spawn(play(socket));
        }
        send(&mut a, command).await;
        send(&mut b, "panic").await;
        assert_eq!(closed(&mut a).await, code(1008, FOR_A), "{command}");
        assert_eq!(closed(&mut b).await, code(1011, ""), "{command}");
    }
}
