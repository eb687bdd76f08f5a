//! Messages that are ready at once with what is raised behind them. tonic gathers those in a buffer, and gives
//! them to the layer when the stream has to wait.

use http::Version;

use crate::{
    calls::{Kind, assert_lives, assert_status, call},
    client,
    common::within,
    faults::{Fault, MESSAGES, Position, Way},
    server::{Shop, Side, item, serve},
};

/// How many of the messages arrive before the status.
async fn check(way: Way, arrive: u32) {
    for side in [Side::Outside, Side::Inside] {
        let server = serve(Shop::eager(), side).await;
        for mut client in [
            client::grpc(server.address()),
            client::grpc_web(server.address(), Version::HTTP_2),
        ] {
            let position = Position::After;
            let fault = Fault { way, position };
            let (items, status) = within(call(&mut client, Kind::ServerStreaming, fault)).await;
            assert_status(&status, way);
            assert_eq!(items, (1..=arrive).map(item).collect::<Vec<_>>());
            assert_lives(&mut client).await;
        }
    }
}

#[tokio::test]
async fn returned() {
    check(Way::Returned, MESSAGES).await;
}

#[tokio::test]
async fn raised_async() {
    check(Way::RaisedAsync, MESSAGES).await;
}

/// They are in tonic's hands when it is unwound.
#[tokio::test]
async fn unwinding_loses_them() {
    check(Way::Raised, 0).await;
    check(Way::Panicked, 0).await;
}
