//! Messages that are ready in the same poll as a failure after them. tonic collects such messages
//! in a buffer, and passes them to the layer when the stream is pending.

use http::Version;

use crate::{
    calls::{Kind, assert_connected, assert_status, call},
    client,
    faults::{Fault, MESSAGES, Position, Way},
    server::{Shop, Side, item, serve},
    support::within,
};

/// Checks that this many of the messages arrive before the status.
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
            assert_connected(&mut client).await;
        }
    }
}

#[tokio::test]
async fn messages_before_a_returned_exception_arrive() {
    check(Way::Returned, MESSAGES).await;
}

#[tokio::test]
async fn messages_before_an_async_raise_arrive() {
    check(Way::RaisedAsync, MESSAGES).await;
}

/// tonic's buffer is dropped when tonic is unwound.
#[tokio::test]
async fn messages_before_an_unwinding_are_lost() {
    check(Way::Raised, 0).await;
    check(Way::Panicked, 0).await;
}
