//! Every kind of call, every way of raising, at every position, over both protocols: a test for each.
//!
//! What the positions are is told in `src/docs/grpc.md`, with what else is tested.

use http::Version;

use crate::{
    calls::{Kind, assert_lives, assert_status, call},
    client,
    common::within,
    faults::{Fault, Position, Way},
    server::{Shop, Side, item, serve},
};

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Grpc,
    GrpcWeb,
    /// The layer is inside of `GrpcWebLayer`, and sees gRPC.
    GrpcWebInside,
}

macro_rules! cell {
    ($protocol:ident $kind:ident $way:ident $position:ident $name:ident) => {
        #[test]
        fn $name() {
            use super::super::super::*;
            let fault = Fault {
                way: Way::$way,
                position: Position::$position,
            };
            check(Protocol::$protocol, Kind::$kind, fault);
        }
    };
}

macro_rules! three {
    ($($cell:ident)*) => {
        cell! { $($cell)* Before before }
        cell! { $($cell)* Between between }
        cell! { $($cell)* After after }
    };
}

macro_rules! four {
    ($($cell:ident)*) => {
        cell! { $($cell)* InTheHandler in_the_handler }
        three! { $($cell)* }
    };
}

macro_rules! ways {
    ($positions:ident $($cell:ident)*) => {
        mod returned { $positions! { $($cell)* Returned } }
        mod raised { $positions! { $($cell)* Raised } }
        mod raised_async { $positions! { $($cell)* RaisedAsync } }
        mod panicked { $positions! { $($cell)* Panicked } }
        mod structured { $positions! { $($cell)* Structured } }
        mod error { $positions! { $($cell)* Error } }
    };
}

macro_rules! kinds {
    ($protocol:ident) => {
        mod unary {
            ways! { three $protocol Unary }
        }
        mod client_streaming {
            ways! { three $protocol ClientStreaming }
        }
        mod server_streaming {
            ways! { four $protocol ServerStreaming }
        }
        mod bidirectional {
            ways! { four $protocol Bidirectional }
        }
    };
}

mod grpc {
    kinds! { Grpc }
}

mod grpc_web {
    kinds! { GrpcWeb }
}

mod grpc_web_inside {
    kinds! { GrpcWebInside }
}

#[tokio::main(flavor = "current_thread")]
async fn check(protocol: Protocol, kind: Kind, fault: Fault) {
    let shop = Shop::default();
    let side = match protocol {
        Protocol::Grpc | Protocol::GrpcWeb => Side::Outside,
        Protocol::GrpcWebInside => Side::Inside,
    };
    let server = serve(shop.clone(), side).await;
    let mut client = match protocol {
        Protocol::Grpc => client::grpc(server.address()),
        Protocol::GrpcWeb | Protocol::GrpcWebInside => {
            client::grpc_web(server.address(), Version::HTTP_2)
        }
    };

    let (items, status) = within(call(&mut client, kind, fault)).await;

    let way = match (protocol, kind, fault) {
        // The body's error is the exception, and tonic-web makes a text of it before the layer sees it.
        (
            Protocol::GrpcWeb,
            Kind::Unary,
            Fault {
                way: Way::Returned,
                position: Position::After,
            },
        ) => Way::Error,
        _ => fault.way,
    };
    assert_status(&status, way);
    let messages = fault.position.messages();
    match kind {
        Kind::Unary => assert_eq!(
            shop.received(),
            u32::from(fault.position != Position::Before)
        ),
        Kind::ClientStreaming => assert_eq!(shop.received(), messages),
        Kind::ServerStreaming | Kind::Bidirectional => {
            assert_eq!(items, (1..=messages).map(item).collect::<Vec<_>>());
        }
    }
    assert_lives(&mut client).await;
    assert_eq!(server.panics(), 0);
}
