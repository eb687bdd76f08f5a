//! The handle's `catch`, beyond a callback that fails.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use futures_util::{SinkExt, StreamExt, future::pending};
use tokio::sync::{Notify, mpsc};
use tower::{BoxError, Layer};
use tower_exception::UpgradeHandle;

use crate::support::*;

/// An app whose WebSockets are left to `serving`, which has the handle too.
async fn with_handle<F, Fut>(
    layer: tower_exception::ExceptionLayer<tower_exception::Custom>,
    serving: F,
) -> std::net::SocketAddr
where
    F: Fn(WebSocket, UpgradeHandle) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let route = any(
        async move |upgrade: WebSocketUpgrade, handle: UpgradeHandle| {
            upgrade.on_upgrade(move |socket| serving(socket, handle))
        },
    );
    serve(app(route, layer)).await
}

#[tokio::test]
async fn a_callback_that_fails_before_it_makes_its_future() {
    type Made = std::future::Ready<Result<(), BoxError>>;
    let (layer, mut told) = observed(upgrades());
    let raising = app(caught(|_| -> Made { no_swearing().raise() }), layer.clone());
    let panicking = app(
        caught(|_| -> Made { panic!("{SECRET_TEXT}") }),
        layer.clone(),
    );
    let mut client = connect(serve(raising).await, "/").await;
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    let mut client = connect(serve(panicking).await, "/").await;
    assert_eq!(closed(&mut client).await, code(1011, ""));
    all_closed(&layer).await;
    assert_eq!(told.all().len(), 2);
}

/// The first one that fails closes the connection; that the others fail too, for reasons of their own, is told.
#[tokio::test]
async fn in_two_tasks() {
    let (layer, mut told) = observed(upgrades());
    let address = with_handle(layer.clone(), async |socket, handle| {
        let (_writing, mut reading) = socket.split();
        let another = tokio::spawn(handle.clone().catch(async |()| {
            let _: () = pending().await;
            Ok(())
        })(()));
        let first = Arc::new(Notify::new());
        let second = {
            let first = first.clone();
            tokio::spawn(handle.clone().catch(async move |()| {
                first.notified().await;
                Err::<(), BoxError>(SecretError.into())
            })(()))
        };
        handle.catch(async |()| {
            reading.next().await.unwrap()?;
            Err::<(), BoxError>(no_swearing().into())
        })(())
        .await;
        first.notify_one();
        second.await.unwrap();
        another.abort();
    })
    .await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
    let expected = "Returned Upgraded Close(1008): 1008: no swearing";
    let late = format!("Returned Upgraded CutShort: {SECRET_TEXT}");
    let mut both = [told.next().await, told.next().await];
    both.sort();
    assert_eq!(both, [expected.to_owned(), late]);
    all_closed(&layer).await;
}

/// As long as one is at work, the connection waits for what it comes to.
#[tokio::test]
async fn in_two_tasks_of_which_one_has_ended_well() {
    let layer = upgrades();
    let (sender, mut go_on) = mpsc::unbounded_channel();
    let address = with_handle(layer.clone(), move |socket, handle| {
        let sender = sender.clone();
        async move {
            let go_on = Arc::new(Notify::new());
            sender.send(go_on.clone()).unwrap();
            let slow = handle.clone().catch(|()| async move {
                go_on.notified().await;
                Err(no_swearing().into())
            })(());
            let fast = handle.catch(|mut socket| async move {
                echo_one(&mut socket).await;
                Ok(())
            })(socket);
            let slow = tokio::spawn(slow);
            fast.await;
            slow.await.unwrap();
        }
    })
    .await;
    let mut client = connect(address, "/").await;
    client.send("hello".into()).await.unwrap();
    let echoed = within(client.next()).await.unwrap().unwrap();
    assert_eq!(echoed, "hello".into());
    assert_eq!(layer.upgrades().count(), 1);
    go_on.recv().await.unwrap().notify_one();
    assert_eq!(closed(&mut client).await, code(1008, "no swearing"));
}

/// It is dropped by what unwinds around it.
#[tokio::test]
async fn something_around_it_raises() {
    for (panics, expected) in [(false, code(1008, "no swearing")), (true, code(1011, ""))] {
        let address = with_handle(upgrades(), move |socket, handle| async move {
            let catching = handle.catch(async |socket: WebSocket| {
                let _socket = socket;
                pending().await
            })(socket);
            let raising = async {
                match panics {
                    false => no_swearing().raise(),
                    true => panic!("{SECRET_TEXT}"),
                }
            };
            tokio::join!(catching, raising);
        })
        .await;
        let mut client = connect(address, "/").await;
        assert_eq!(closed(&mut client).await, expected);
    }
}

#[tokio::test]
async fn it_is_aborted() {
    let layer = upgrades();
    let (sender, mut tasks) = mpsc::unbounded_channel();
    let address = with_handle(layer.clone(), move |socket, handle| {
        let catching = handle.catch(async |socket: WebSocket| {
            let _socket = socket;
            pending().await
        })(socket);
        let task = tokio::spawn(catching);
        sender.send(task.abort_handle()).unwrap();
        async move { assert!(task.await.unwrap_err().is_cancelled()) }
    })
    .await;
    let mut client = connect(address, "/").await;
    within(tasks.recv()).await.unwrap().abort();
    assert_eq!(closed(&mut client).await, code(1000, ""));
    all_closed(&layer).await;
}

#[tokio::test]
async fn its_future_is_kept_when_it_is_done() {
    let layer = upgrades();
    let address = with_handle(layer.clone(), async |socket, handle| {
        let catching = handle.catch(async |mut socket: WebSocket| {
            echo_one(&mut socket).await;
            Ok(())
        })(socket);
        let mut catching = pin!(catching);
        catching.as_mut().await;
        pending().await
    })
    .await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    all_closed(&layer).await;
}

/// A callback that is never called catches nothing, and holds nothing back.
#[tokio::test]
async fn it_is_never_called() {
    let address = with_handle(upgrades(), async move |mut socket, handle| {
        let callback = handle.catch(async |_: WebSocket| Ok(()));
        echo_one(&mut socket).await;
        drop(socket);
        let _callback = callback;
        pending::<()>().await;
    })
    .await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
}

#[tokio::test]
async fn a_handle_that_is_kept_keeps_no_connection() {
    let handles = Arc::new(Mutex::new(Vec::new()));
    let (layer, mut told) = observed(upgrades());
    let address = {
        let handles = handles.clone();
        with_handle(layer.clone(), move |mut socket, handle| {
            handles.lock().unwrap().push(handle);
            async move { echo_one(&mut socket).await }
        })
        .await
    };
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    all_closed(&layer).await;
    told.assert_nothing_else();
    let handle = handles.lock().unwrap().pop().unwrap();
    handle.catch(async |()| Err::<(), BoxError>(no_swearing().into()))(()).await;
    let late = "Returned Upgraded CutShort: 1008: no swearing";
    assert_eq!(told.all(), [late]);
}

/// What comes of the callback then cannot be told to the client anyway.
#[tokio::test]
async fn a_socket_that_the_callback_has_closed_is_closed_before_the_callback_ends() {
    let layer = upgrades();
    let route = caught(async |mut socket: WebSocket| {
        socket.send(Message::Close(None)).await?;
        drop(socket);
        pending().await
    });
    let address = serve(app(route, layer.clone())).await;
    let mut client = Raw::open(address, "/").await;
    client.send(&masked(CLOSE, &[])).await;
    assert_eq!(client.rest().await.unwrap(), frame(CLOSE, &[]));
    all_closed(&layer).await;
}

/// It is left to whoever has it.
#[tokio::test]
async fn a_socket_that_outlives_its_callback() {
    let layer = upgrades();
    let app = accepting_caught(async |io: Bare| {
        let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(
            io,
            tokio_tungstenite::tungstenite::protocol::Role::Server,
            None,
        )
        .await;
        tokio::spawn(async move {
            let message = socket.next().await.unwrap().unwrap();
            socket.send(message).await.unwrap();
        });
        Ok(())
    });
    let address = serve(layer.layer(app)).await;
    let mut client = connect(address, "/").await;
    assert_eq!(closed_after_hello(&mut client).await, code(1000, ""));
    all_closed(&layer).await;
}
