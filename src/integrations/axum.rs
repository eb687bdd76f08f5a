use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::{ExceptionBody, HttpException};

/// The response of [`Response::from`](http::Response#impl-From<HttpException>-for-Response<B>): rendered, with the exception
/// attached. So a handler may return `Result<T, HttpException>`, with and without an
/// [`ExceptionLayer`](crate::ExceptionLayer) around it.
///
/// ```
/// use axum::{Json, extract::Path};
/// use tower_exception::HttpException;
///
/// async fn item(Path(id): Path<u32>) -> Result<Json<&'static str>, HttpException> {
///     match id {
///         1 => Ok(Json("plumbus")),
///         _ => Err(HttpException::not_found("Item not found")),
///     }
/// }
///
/// let app: axum::Router = axum::Router::new().route("/items/{id}", axum::routing::get(item));
/// ```
impl IntoResponse for HttpException {
    fn into_response(self) -> Response {
        let response = http::Response::<Bytes>::from(self);
        response.map(|bytes| Body::new(ExceptionBody::<Body>::rendered(bytes)))
    }
}
