//! Renderers without a server.

use http::{Request, header::HeaderValue};
use tower_exception::{
    Caught, HttpException, RequestHead,
    render::{Render, Rendered},
};

/// Renders `exception` for a `GET /items/2`.
pub fn render(renderer: &impl Render, exception: &HttpException) -> Rendered {
    render_for(renderer, exception, "/items/2", &[])
}

/// Renders `exception` for a `GET` of `path` with these lines of `Accept`.
pub fn render_for(
    renderer: &impl Render,
    exception: &HttpException,
    path: &str,
    accept: &[HeaderValue],
) -> Rendered {
    let mut request = Request::get(path);
    for line in accept {
        request = request.header("accept", line);
    }
    let (parts, _) = request.body(()).unwrap().into_parts();
    let caught = Caught::new(exception.clone(), RequestHead::from(&parts));
    renderer.render(exception, &caught.into_any())
}

/// Returns the body of a rendering, which is UTF-8.
pub fn body_of(rendered: &Rendered) -> &str {
    std::str::from_utf8(rendered.body()).unwrap()
}
