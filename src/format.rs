//! The format in which a request expects its response.

use http::{HeaderMap, Method, Request};

use crate::grpc::{GrpcContentType, StatusEncoding};

/// Format of the response to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFormat {
    /// A response over plain HTTP.
    Http,
    /// A response over plain HTTP without its body, for a `HEAD` request.
    Head,
    /// A gRPC status.
    Grpc(GrpcContentType),
}

impl ResponseFormat {
    /// Returns the format that `request` asks for.
    ///
    /// Only a `POST` can be gRPC, so no header is read for another method.
    #[inline]
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        match *request.method() {
            Method::POST => GrpcContentType::of(request.headers()).map_or(Self::Http, Self::Grpc),
            Method::HEAD => Self::Head,
            _ => Self::Http,
        }
    }

    /// Returns the format of a response with these headers to a request that asks for `self`.
    ///
    /// The response's own content type decides. A `GrpcWebLayer` responds in another encoding than
    /// the request's if the client accepts that encoding, and an error page is not gRPC.
    pub(crate) fn of_response(self, headers: &HeaderMap) -> Self {
        match self {
            Self::Grpc(_) => GrpcContentType::of(headers).map_or(Self::Http, Self::Grpc),
            Self::Http | Self::Head => self,
        }
    }

    /// Returns the encoding of a gRPC status, or `None` if the response is not gRPC.
    #[inline]
    pub(crate) fn status_encoding(self) -> Option<StatusEncoding> {
        match self {
            Self::Grpc(content_type) => Some(content_type.status_encoding()),
            Self::Http | Self::Head => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;

    #[test]
    fn only_a_post_is_grpc() {
        let format = |method: Method| {
            let request = Request::builder()
                .method(method)
                .header(CONTENT_TYPE, "application/grpc");
            ResponseFormat::of(&request.body(()).unwrap())
        };
        assert_eq!(
            format(Method::POST),
            ResponseFormat::Grpc(GrpcContentType::Grpc)
        );
        assert_eq!(format(Method::GET), ResponseFormat::Http);
        assert_eq!(format(Method::PUT), ResponseFormat::Http);
        assert_eq!(format(Method::HEAD), ResponseFormat::Head);
    }

    /// Every response future and every response body holds one.
    #[test]
    fn is_one_byte() {
        assert_eq!(size_of::<ResponseFormat>(), 1);
    }
}
