//! The faults of a request that an exception lists, as a client reads them with `tonic-types`.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt as _};
use tower::{BoxError, Layer, service_fn};
use tower_exception::{ExceptionLayer, Fault, HttpException};

use crate::{
    client,
    generated::ItemId,
    support::{Server, within},
};

fn invalid() -> HttpException {
    HttpException::invalid()
        .at("/items/3/price", "must be positive")
        .at("/customer", Fault::missing())
        .at_query(
            "page",
            Fault::new("must be a number").with_type("int_parsing"),
        )
}

/// Serves a service that returns the exception as its error.
async fn serve(exception: impl Fn() -> HttpException + Copy + Send + 'static) -> Server {
    let failing = service_fn(move |_: Request<hyper::body::Incoming>| async move {
        Err::<Response<Full<Bytes>>, BoxError>(exception().into())
    });
    Server::start(ExceptionLayer::new().layer(failing)).await
}

async fn status(server: &Server) -> Status {
    let mut client = client::grpc(server.address());
    within(client.get(ItemId::default())).await.unwrap_err()
}

fn violations(status: &Status) -> Vec<(String, String)> {
    let bad_request = status.get_details_bad_request().unwrap();
    let violations = bad_request.field_violations.into_iter();
    let pair = |FieldViolation {
                    field, description, ..
                }| (field, description);
    violations.map(pair).collect()
}

#[tokio::test]
async fn a_client_receives_a_violation_for_each_fault() {
    let status = status(&serve(invalid).await).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "items[3].price: must be positive; customer: Field required; \
         query parameter page: must be a number"
    );
    let expected = [
        ("items[3].price", "must be positive"),
        ("customer", "Field required"),
        ("page", "must be a number"),
    ];
    let expected = expected.map(|(field, text)| (field.to_owned(), text.to_owned()));
    assert_eq!(violations(&status), expected);
    // Nothing repeats the list as a `ListValue`.
    assert_eq!(status.get_error_details_vec().len(), 1);
    assert!(!String::from_utf8_lossy(status.details()).contains("ListValue"));

    let exception = HttpException::from(status);
    let faults = exception.faults().iter();
    let read: Vec<_> = faults
        .map(|it| (it.pointer(), it.fault_type().to_owned()))
        .collect();
    let expected = [
        ("/items/3/price", "value_error"),
        ("/customer", "missing"),
        ("/page", "int_parsing"),
    ];
    let expected = expected.map(|(pointer, name)| (pointer.to_owned(), name.to_owned()));
    assert_eq!(read, expected);
}

/// An exception that was read from a status is sent again, with a fault more and without change.
#[tokio::test]
async fn faults_pass_through_a_gateway() {
    let unchanged = || HttpException::from(Status::from(invalid()));
    assert_eq!(violations(&status(&serve(unchanged).await).await).len(), 3);
    let added = || HttpException::from(Status::from(invalid())).at("/id", "is unknown");
    let status = status(&serve(added).await).await;
    assert_eq!(violations(&status).len(), 4);
    assert_eq!(status.get_error_details_vec().len(), 1);
}

#[tokio::test]
async fn the_first_faults_of_a_long_list_fit_into_what_a_client_accepts() {
    let long = || {
        (0..1_000).fold(HttpException::invalid(), |exception, index| {
            exception.at(format!("/items/{index}"), "must be positive")
        })
    };
    let status = status(&serve(long).await).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = violations(&status);
    assert!(
        (20..1_000).contains(&violations.len()),
        "{}",
        violations.len()
    );
    assert_eq!(violations[0].0, "items[0]");
}
