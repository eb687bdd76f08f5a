//! A thousand WebSockets at once.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ws::{Message, WebSocket},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    runtime::{Builder, Handle},
    sync::{Barrier, Semaphore},
    task::JoinSet,
};
use tower_exception::{CloseCode, WebSocketException, WebSockets};

use crate::support::websocket::*;

const CLIENTS: u64 = 1000;
const PATHS: [&str; 5] = [
    "/bare",
    "/bare-async",
    "/returned",
    "/raised",
    "/raised-async",
];

/// Echoes messages until one requests a close. Returns the exception that it requests.
async fn echo_until_close(socket: &mut WebSocket) -> WebSocketException {
    loop {
        let message = socket.recv().await.unwrap().unwrap();
        let Message::Text(text) = &message else {
            panic!("{message:?}");
        };
        if let Some(code) = text.strip_prefix("close ") {
            let code = CloseCode::from_u16(code.parse().unwrap()).unwrap();
            return WebSocketException::new(code).with_reason(text.to_string());
        }
        socket.send(message).await.unwrap();
    }
}

fn room() -> Router {
    Router::new()
        .route(
            PATHS[0],
            bare(async |mut socket| echo_until_close(&mut socket).await.raise()),
        )
        .route(
            PATHS[1],
            bare(async |mut socket| echo_until_close(&mut socket).await.raise_async().await),
        )
        .route(
            PATHS[2],
            catching(async |mut socket| Err(echo_until_close(&mut socket).await.into())),
        )
        .route(
            PATHS[3],
            catching(async |mut socket| echo_until_close(&mut socket).await.raise()),
        )
        .route(
            PATHS[4],
            catching(async |mut socket| echo_until_close(&mut socket).await.raise_async().await),
        )
}

/// Returns a pseudo-random number less than `below`, the same in every run (SplitMix64).
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

/// Every client receives its own code, and the server frees every task.
#[test]
fn every_client_of_a_thousand_receives_its_code() {
    // Each client takes two open files, and many systems allow 1024 by default.
    let files = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(files > 2 * CLIENTS + 100, "{files}");

    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let websockets = WebSockets::new();
        let layer = layer_with(&websockets);
        let address = serve(room().layer(layer.clone())).await;
        let barrier = Arc::new(Barrier::new(CLIENTS as usize));
        // The backlog of a listener is shorter than the number of clients.
        let connecting_at_once = Arc::new(Semaphore::new(100));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (barrier, websockets) = (barrier.clone(), websockets.clone());
            let connecting_at_once = connecting_at_once.clone();
            clients.spawn(async move {
                let mut seed = number;
                let path = PATHS[random(&mut seed, 5) as usize];
                let protocol = PROTOCOLS[usize::from(random(&mut seed, 10) == 0)];
                let connecting = connecting_at_once.acquire().await.unwrap();
                let mut client = connect_over(protocol, address, path).await;
                drop(connecting);
                if barrier.wait().await.is_leader() {
                    assert_eq!(websockets.count(), CLIENTS as usize);
                }
                barrier.wait().await;
                for _ in 0..random(&mut seed, 10) {
                    client.send("hello".into()).await.unwrap();
                    let echoed = within(client.next()).await.unwrap().unwrap();
                    assert_eq!(echoed, "hello".into());
                }
                let number = 3000 + u16::try_from(number).unwrap();
                let close = format!("close {number}");
                client.send(close.as_str().into()).await.unwrap();
                assert_eq!(closed(&mut client).await, code(number, &close));
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        all_closed(&websockets).await;
        let only_the_listener_is_left = async {
            while Handle::current().metrics().num_alive_tasks() > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within(only_the_listener_is_left).await;
    });
}
