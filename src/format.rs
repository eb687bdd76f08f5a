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
    /// A response to a `HEAD` request, without a `content-length`, because the length of the
    /// response to a `GET` is unknown (RFC 9110, section 9.3.2).
    HeadOfUnknownLength,
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
            Method::POST => match GrpcContentType::of(request.headers()) {
                Some(grpc) => Self::Grpc(grpc.of_request(request.version(), request.headers())),
                None => Self::Http,
            },
            _ => Self::without_grpc(request),
        }
    }

    /// Returns the format that `request` asks for, if no request counts as gRPC.
    #[inline]
    pub(crate) fn without_grpc<B>(request: &Request<B>) -> Self {
        match *request.method() {
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
            Self::Grpc(request) => request.of_response(headers).map_or(Self::Http, Self::Grpc),
            Self::Http | Self::Head | Self::HeadOfUnknownLength => self,
        }
    }

    /// Returns whether the request is a `HEAD`.
    pub(crate) fn is_head(self) -> bool {
        matches!(self, Self::Head | Self::HeadOfUnknownLength)
    }

    /// Returns the encoding of a gRPC status, or `None` if the response is not gRPC.
    #[inline]
    pub(crate) fn status_encoding(self) -> Option<StatusEncoding> {
        match self {
            Self::Grpc(content_type) => Some(content_type.status_encoding()),
            Self::Http | Self::Head | Self::HeadOfUnknownLength => None,
        }
    }
}

/// Whether an error may be one of the request's body, of which only hyper's are known.
///
/// The body of a `GET` or a `HEAD` means nothing (RFC 9110, sections 9.3.1 and 9.3.2), so that no
/// service reads it.
#[derive(Clone, Copy)]
pub(crate) struct MayReadBody(#[cfg(feature = "hyper")] bool);

impl MayReadBody {
    /// Returns whether a service may read the body of a request with this method.
    #[inline]
    pub(crate) fn of(method: &Method) -> Self {
        let _ = method;
        Self(
            #[cfg(feature = "hyper")]
            !matches!(*method, Method::GET | Method::HEAD),
        )
    }

    #[cfg(feature = "hyper")]
    pub(crate) fn get(self) -> bool {
        self.0
    }

    #[cfg(not(feature = "hyper"))]
    pub(crate) fn get(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Version, header::CONTENT_TYPE};

    #[test]
    fn only_a_post_is_grpc() {
        let format = |method: Method| {
            let request = Request::builder()
                .method(method)
                .version(Version::HTTP_2)
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
