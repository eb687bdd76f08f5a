//! Content types of gRPC and gRPC-Web.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

/// Content type of gRPC or of gRPC-Web.
///
/// A suffix that is not listed counts as none: the response to `application/grpc+thrift` is
/// `application/grpc`, which means the same for a response without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcContentType {
    /// `application/grpc`
    Grpc,
    /// `application/grpc+proto`
    GrpcProto,
    /// `application/grpc+json`
    GrpcJson,
    /// `application/grpc-web`
    Web,
    /// `application/grpc-web+proto`
    WebProto,
    /// `application/grpc-web+json`
    WebJson,
    /// `application/grpc-web-text`
    WebText,
    /// `application/grpc-web-text+proto`
    WebTextProto,
}

/// Encoding of the messages in a body and of the status that follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusEncoding {
    /// gRPC: the status is in the HTTP trailers.
    Trailers,
    /// gRPC-Web: the status is the last frame of the body.
    Frame,
    /// Text form of gRPC-Web: the status is the last frame of the body, and the body is in Base64.
    Base64Frame,
}

impl GrpcContentType {
    /// Returns the content type in the headers of a request or a response, if it is one of gRPC's.
    #[inline]
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(CONTENT_TYPE)?.as_bytes())
    }

    /// Parses `application/grpc`, optionally `-web` or `-web-text`, optionally `+` and a suffix,
    /// then optional parameters.
    fn parse(content_type: &[u8]) -> Option<Self> {
        let rest = strip_prefix(content_type, b"application/grpc")?;
        let rest = rest.split(|byte| *byte == b';').next()?.trim_ascii_end();
        let (encoding, rest) = if let Some(rest) = strip_prefix(rest, b"-web-text") {
            (StatusEncoding::Base64Frame, rest)
        } else if let Some(rest) = strip_prefix(rest, b"-web") {
            (StatusEncoding::Frame, rest)
        } else {
            (StatusEncoding::Trailers, rest)
        };
        let suffix = match rest {
            [] => rest,
            [b'+', suffix @ ..] if !suffix.is_empty() => suffix,
            _ => return None,
        };
        let (proto, json) = (is(suffix, b"proto"), is(suffix, b"json"));
        Some(match encoding {
            StatusEncoding::Trailers if proto => Self::GrpcProto,
            StatusEncoding::Trailers if json => Self::GrpcJson,
            StatusEncoding::Trailers => Self::Grpc,
            StatusEncoding::Frame if proto => Self::WebProto,
            StatusEncoding::Frame if json => Self::WebJson,
            StatusEncoding::Frame => Self::Web,
            StatusEncoding::Base64Frame if proto => Self::WebTextProto,
            StatusEncoding::Base64Frame => Self::WebText,
        })
    }

    /// Returns the value of `content-type`.
    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Grpc => "application/grpc",
            Self::GrpcProto => "application/grpc+proto",
            Self::GrpcJson => "application/grpc+json",
            Self::Web => "application/grpc-web",
            Self::WebProto => "application/grpc-web+proto",
            Self::WebJson => "application/grpc-web+json",
            Self::WebText => "application/grpc-web-text",
            Self::WebTextProto => "application/grpc-web-text+proto",
        })
    }

    /// Returns the encoding that the content type stands for.
    pub(crate) fn status_encoding(self) -> StatusEncoding {
        match self {
            Self::Grpc | Self::GrpcProto | Self::GrpcJson => StatusEncoding::Trailers,
            Self::Web | Self::WebProto | Self::WebJson => StatusEncoding::Frame,
            Self::WebText | Self::WebTextProto => StatusEncoding::Base64Frame,
        }
    }
}

/// Compares media types, which are case-insensitive (RFC 9110, section 8.3.1).
fn is(text: &[u8], other: &[u8]) -> bool {
    text.eq_ignore_ascii_case(other)
}

fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    is(start, prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_content_types_of_grpc_and_no_others() {
        use GrpcContentType::*;
        for (content_type, expected) in [
            ("application/grpc", Some(Grpc)),
            ("application/grpc+proto", Some(GrpcProto)),
            ("application/grpc+json", Some(GrpcJson)),
            ("application/grpc+thrift", Some(Grpc)),
            ("application/grpc;charset=utf-8", Some(Grpc)),
            ("application/grpc+proto ; v=1", Some(GrpcProto)),
            ("Application/GRPC+Proto", Some(GrpcProto)),
            ("application/grpc-web", Some(Web)),
            ("application/grpc-web+proto", Some(WebProto)),
            ("application/grpc-web+json", Some(WebJson)),
            ("application/grpc-web+thrift", Some(Web)),
            ("application/grpc-web-text", Some(WebText)),
            ("application/grpc-web-text+proto", Some(WebTextProto)),
            ("application/grpc-web-text+thrift", Some(WebText)),
            ("application/grpc-web-text; q=1", Some(WebText)),
            ("application/grpcfoo", None),
            ("application/grpc+", None),
            ("application/grpc-", None),
            ("application/grpc-webfoo", None),
            ("application/grpc-web-textfoo", None),
            ("application/grp", None),
            ("application/json", None),
            ("xapplication/grpc", None),
            ("", None),
        ] {
            assert_eq!(
                GrpcContentType::parse(content_type.as_bytes()),
                expected,
                "{content_type}"
            );
        }
    }

    #[test]
    fn parses_its_own_header_value() {
        use GrpcContentType::*;
        for content_type in [
            Grpc,
            GrpcProto,
            GrpcJson,
            Web,
            WebProto,
            WebJson,
            WebText,
            WebTextProto,
        ] {
            let value = content_type.header_value();
            assert_eq!(GrpcContentType::parse(value.as_bytes()), Some(content_type));
        }
    }
}
