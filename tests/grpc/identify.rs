//! The id of a failure, as a gRPC client reads it.

use http::Version;
use tonic::Status;
use tonic_types::StatusExt as _;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, layer::layer_fn};
use tower_exception::{ExceptionLayer, HttpException, Ids};

use crate::{
    calls::{Kind, call, request_for},
    client::{self, Client},
    faults::{self, Fault, Position, WAYS, Way},
    generated::{ItemId, items_server::ItemsServer},
    server::Shop,
    support::{Server, log::Log, within},
};

const ID: &str = "shop-7:4711";

/// Serves a shop that fails in each way, with new ids or those of its clients.
async fn serve(ids: Ids) -> Server {
    let stack = ServiceBuilder::new()
        .layer(GrpcWebLayer::new())
        .layer(ExceptionLayer::new().identify(ids))
        .layer(layer_fn(faults::layer));
    Server::start(stack.service(ItemsServer::new(Shop::default()))).await
}

fn clients(server: &Server) -> [Client; 3] {
    [
        client::grpc(server.address()),
        client::grpc_web(server.address(), Version::HTTP_11),
        client::grpc_web(server.address(), Version::HTTP_2),
    ]
}

/// Returns the id in the details of a status, which is the one in its metadata.
fn id_of(status: &Status) -> String {
    let id = status
        .get_details_request_info()
        .unwrap_or_else(|| panic!("{status:?}"))
        .request_id;
    assert_eq!(
        status.metadata().get("x-request-id").unwrap(),
        &*id,
        "{status:?}"
    );
    id
}

#[tokio::test]
async fn a_client_and_the_log_have_the_same_id_however_a_call_fails() {
    let server = serve(Ids::new_id()).await;
    for mut client in clients(&server) {
        for way in WAYS {
            for position in [Position::InTheHandler, Position::Before, Position::Between] {
                let log = Log::start();
                let fault = Fault { way, position };
                let (_, status) = within(call(&mut client, Kind::ServerStreaming, fault)).await;
                let id = id_of(&status);
                let event = log.only_event();
                assert_eq!(
                    event.get("tower_exception.id"),
                    Some(&*id),
                    "{way:?} {position:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_id_may_be_that_of_the_call() {
    let server = serve(Ids::request_id()).await;
    for mut client in clients(&server) {
        let fault = Fault {
            way: Way::Raised,
            position: Position::Before,
        };
        let mut request = request_for(ItemId { id: 1 }, fault);
        request
            .metadata_mut()
            .insert("x-request-id", ID.parse().unwrap());
        let status = within(client.get(request)).await.unwrap_err();
        assert_eq!(id_of(&status), ID);
        // It is no part of an exception that is made of the status.
        assert_eq!(HttpException::from(status).members().len(), 0);
    }
}
