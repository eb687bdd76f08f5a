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
use tower_exception::{CloseCode, WebSocketException};

use crate::support::*;

const CLIENTS: u64 = 1000;
const WAYS: [&str; 5] = [
    "/bare",
    "/bare-async",
    "/returned",
    "/raised",
    "/raised-async",
];

/// Echoes until it is told to close, and with what.
async fn told_to_close(socket: &mut WebSocket) -> WebSocketException {
    loop {
        let message = socket.recv().await.unwrap().unwrap();
        let Message::Text(text) = &message else {
            panic!("{message:?}");
        };
        if let Some(code) = text.strip_prefix("close ") {
            let code = CloseCode::new(code.parse().unwrap()).unwrap();
            return WebSocketException::new(code).with_reason(text.to_string());
        }
        socket.send(message).await.unwrap();
    }
}

fn room() -> Router {
    Router::new()
        .route(
            WAYS[0],
            bare(async |mut socket| told_to_close(&mut socket).await.raise()),
        )
        .route(
            WAYS[1],
            bare(async |mut socket| told_to_close(&mut socket).await.raise_async().await),
        )
        .route(
            WAYS[2],
            caught(async |mut socket| Err(told_to_close(&mut socket).await.into())),
        )
        .route(
            WAYS[3],
            caught(async |mut socket| told_to_close(&mut socket).await.raise()),
        )
        .route(
            WAYS[4],
            caught(async |mut socket| told_to_close(&mut socket).await.raise_async().await),
        )
}

/// A number from 0 to `below`, the same in every run (SplitMix64).
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

/// Every one of them sees its own code, and nothing is left of them.
#[test]
fn every_client_sees_its_code() {
    // Each takes two open files, where many systems allow 1024 unless they are asked.
    let files = rlimit::increase_nofile_limit(4096).unwrap();
    assert!(files > 2 * CLIENTS + 100, "{files}");

    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let layer = upgrades();
        let address = serve(room().layer(layer.clone())).await;
        let barrier = Arc::new(Barrier::new(CLIENTS as usize));
        // The queue of a listener is not as long as all of them.
        let accepted_at_once = Arc::new(Semaphore::new(100));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (barrier, upgrades) = (barrier.clone(), layer.upgrades());
            let accepted_at_once = accepted_at_once.clone();
            clients.spawn(async move {
                let mut seed = number;
                let path = WAYS[random(&mut seed, 5) as usize];
                let protocol = PROTOCOLS[usize::from(random(&mut seed, 10) == 0)];
                let connecting = accepted_at_once.acquire().await.unwrap();
                let mut client = connect_over(protocol, address, path).await;
                drop(connecting);
                if barrier.wait().await.is_leader() {
                    assert_eq!(upgrades.count(), CLIENTS as usize);
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
        all_closed(&layer).await;
        let all_but_the_listener_are_over = async {
            while Handle::current().metrics().num_alive_tasks() > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within(all_but_the_listener_are_over).await;
    });
}
