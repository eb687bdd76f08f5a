//! One test for each protocol, kind of call, way of failing and position.
//!
//! All calls use tonic's clients over real sockets. The outer modules are the protocols:
//!
//! | module | protocol and client | position of the layer |
//! | --- | --- | --- |
//! | `grpc` | gRPC, tonic's client | outside of tonic |
//! | `grpc_web` | gRPC-Web, tonic-web's client | outside of `GrpcWebLayer` |
//! | `grpc_web_inside` | gRPC-Web, tonic-web's client | inside of `GrpcWebLayer` |
//!
//! Each contains one module for each kind of call: `unary`, `client_streaming`, `server_streaming`
//! and `bidirectional`. Each of these contains one module for each way of failing:
//!
//! | module | failure |
//! | --- | --- |
//! | `returned` | an exception that the handler returns by `?` |
//! | `raised` | an exception raised by unwinding |
//! | `raised_async` | an exception raised without unwinding |
//! | `structured` | a raised exception with JSON as its detail |
//! | `supplemented` | an exception that says more than its detail: returned by `?` from a handler or a stream, raised elsewhere |
//! | `panicked` | a panic |
//! | `error` | an error of a layer between tonic and the exception layer |
//!
//! Each of these contains one test for each position:
//!
//! | | `before` | `between` | `after` |
//! | --- | --- | --- | --- |
//! | `unary` | before the request's message is read | in the handler | in the body, after the reply's message |
//! | `client_streaming` | before the first message is read | after one message, while the client may send more | after the last message, before the reply |
//! | `server_streaming` | in the stream, before the first message is sent | after one message | after the last message |
//! | `bidirectional` | in the stream, before the first message is sent, while the client may send more | after one message, while the client may send more | after the last message, when the client has ended its stream too |
//!
//! If the response is a stream, there is a fourth position, `in_the_handler`: before the stream
//! exists. For example, `matrix::grpc_web::server_streaming::raised_async::between` tests an
//! exception that a stream raises without unwinding after its first message, over gRPC-Web.
//!
//! Each test checks:
//!
//! - the code, the message, the metadata and the details of the status;
//! - that the status contains no text of an error or of a panic;
//! - that the messages before the failure have arrived;
//! - that the connection still works.
//!
//! One cell differs from its neighbours: `grpc_web::unary::returned::after` is INTERNAL. The body's
//! error is the exception, and tonic-web keeps only the text of it.
//!
//! Requests of gRPC-Web are streams here too, over HTTP/2. No browser can send such a request, but
//! tonic-web's client can, and the response is the same.

use http::Version;

use crate::{
    calls::{Kind, assert_connected, assert_status, call},
    client,
    faults::{Fault, Position, Way},
    server::{Shop, Side, item, serve},
    support::within,
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
        mod supplemented { $positions! { $($cell)* Supplemented } }
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
        // The body's error is the exception. tonic-web reduces it to a text before the layer sees
        // it.
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
    assert_connected(&mut client).await;
    assert_eq!(server.panics(), 0);
}
