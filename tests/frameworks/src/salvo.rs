//! salvo: a hoop that runs the rest of the flow below a layer.

use std::{convert::Infallible, mem};

use http_body_util::BodyExt;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Scribe, async_trait,
    http::{ResBody, StatusCode},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, HttpException, bytes::Bytes, config::LayerConfig, http};

/// Hoop that runs the handlers after it below an [`ExceptionLayer`].
///
/// `ExceptionLayer::new().compat()`, salvo's own adapter, runs them in another future than that of
/// the layer. A raise or a panic in a handler then unwinds past the layer.
pub struct Below<C>(pub ExceptionLayer<C>);

#[async_trait]
impl<C: LayerConfig> Handler for Below<C> {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        // The layer gets the head of the request, and salvo's own request passes it by.
        let mut head = http::Request::new(());
        *head.method_mut() = req.method().clone();
        *head.uri_mut() = req.uri().clone();
        *head.version_mut() = req.version();
        *head.headers_mut() = req.headers().clone();
        // A failure must not lose the headers that hoops before this one have set.
        let earlier_headers = mem::take(res.headers_mut());

        let mut flow = Some((req, depot, &mut *res, &mut *ctrl));
        let service = service_fn(|_: http::Request<()>| {
            let flow = flow.take();
            async {
                let (req, depot, res, ctrl) = flow.expect("a flow runs once");
                ctrl.call_next(req, depot, res).await;
                take_response(res)
            }
        });
        let response: Result<_, Infallible> = self.0.layer(service).oneshot(head).await;
        let Ok(response) = response;

        // After a failure, handlers may be left that have not run.
        ctrl.skip_rest();
        let (head, body) = response.into_parts();
        res.status_code(head.status);
        res.headers = earlier_headers;
        res.headers.extend(head.headers);
        res.extensions = head.extensions;
        res.body = ResBody::Boxed(Box::pin(body.map_err(Into::into)));
    }
}

/// Takes the response of a flow. An error page of salvo's becomes an exception.
fn take_response(res: &mut Response) -> Result<http::Response<ResBody>, HttpException> {
    let mut response = http::Response::new(match res.take_body() {
        ResBody::Error(error) => {
            let exception = HttpException::new(error.code).with_source(error);
            return Err(exception);
        }
        body => body,
    });
    *response.status_mut() = res.status_code.unwrap_or(StatusCode::OK);
    *response.headers_mut() = mem::take(res.headers_mut());
    *response.extensions_mut() = mem::take(&mut res.extensions);
    Ok(response)
}

/// An [`HttpException`] as the error of a salvo handler, by `?`.
///
/// It writes a response that the exception is attached to. `salvo::Response::from` a response of
/// the crate `http` loses the exception, because it drops the extensions.
pub struct Attached(HttpException);

impl From<HttpException> for Attached {
    fn from(exception: HttpException) -> Self {
        Self(exception)
    }
}

impl Scribe for Attached {
    fn render(self, res: &mut Response) {
        let response: http::Response<Bytes> = self.0.into();
        let (head, body) = response.into_parts();
        res.status_code(head.status);
        res.headers.extend(head.headers);
        res.extensions.extend(head.extensions);
        res.body = ResBody::Once(body);
    }
}
