//! What a layer was told, and what that makes it keep of each request.
//!
//! The two kinds are two types, so that a layer that was told nothing carries nothing: neither a
//! shared configuration nor the head of a request is in its future.

use std::sync::Arc;

use http::{Method, Request};

use crate::{
    HttpException, RequestHead,
    render::{Json, Render, Rendered, json},
};

/// The settings of a layer that was told nothing: [`ExceptionLayer::new`](crate::ExceptionLayer::new).
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

/// The settings of a layer that was told anything, such as its renderer.
#[derive(Clone)]
pub struct Custom(pub(crate) Arc<Config>);

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) renderer: Arc<dyn Render>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            renderer: Arc::new(Json),
        }
    }
}

/// [`Plain`] or [`Custom`].
pub trait Settings: Clone {
    #[doc(hidden)]
    type Exchange: Exchange;

    #[doc(hidden)]
    fn exchange<B>(&self, request: &Request<B>) -> Self::Exchange;

    #[doc(hidden)]
    fn into_custom(self) -> Custom;
}

/// What is kept of a request until it is answered.
pub trait Exchange {
    /// Whether a response that an exception is attached to is rendered anew.
    const RENDERS_ATTACHED: bool;

    /// Whether the request is a `HEAD`, so that the answer goes without its body.
    fn is_head(&self) -> bool;

    fn render(&self, exception: &HttpException) -> Rendered;
}

pub struct PlainExchange {
    is_head: bool,
}

impl Settings for Plain {
    type Exchange = PlainExchange;

    #[inline]
    fn exchange<B>(&self, request: &Request<B>) -> PlainExchange {
        PlainExchange {
            is_head: request.method() == Method::HEAD,
        }
    }

    fn into_custom(self) -> Custom {
        Custom(Arc::default())
    }
}

impl Exchange for PlainExchange {
    const RENDERS_ATTACHED: bool = false;

    fn is_head(&self) -> bool {
        self.is_head
    }

    fn render(&self, exception: &HttpException) -> Rendered {
        json::render(exception)
    }
}

pub struct CustomExchange {
    config: Arc<Config>,
    request: RequestHead,
}

impl Settings for Custom {
    type Exchange = CustomExchange;

    #[inline]
    fn exchange<B>(&self, request: &Request<B>) -> CustomExchange {
        CustomExchange {
            config: Arc::clone(&self.0),
            request: RequestHead::of(request),
        }
    }

    fn into_custom(self) -> Custom {
        self
    }
}

impl Exchange for CustomExchange {
    const RENDERS_ATTACHED: bool = true;

    fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    fn render(&self, exception: &HttpException) -> Rendered {
        self.config.renderer.render(exception, &self.request)
    }
}
