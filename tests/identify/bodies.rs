//! The id of a failure after the head of the response is out: only the log and observers have it.

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::Ids;

use crate::{
    ID,
    support::{first_then, log::Log},
};

#[tokio::test]
async fn the_log_has_the_id_of_a_failure_in_the_body() {
    use http_body_util::BodyExt as _;
    let streaming = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, std::convert::Infallible>(Response::new(first_then(|| {
            Err("the disk is gone".into())
        })))
    });
    let layer = tower_exception::ExceptionLayer::new().identify(Ids::request_id());
    let mut request = Request::new(Full::default());
    request
        .headers_mut()
        .insert("x-request-id", HeaderValue::from_static(ID));
    let log = Log::start();
    let response = layer.layer(streaming).oneshot(request).await.unwrap();
    assert_eq!(response.headers().get("x-request-id"), None);
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(log.only_event().get("tower_exception.id"), Some(ID));
}
