//! Content types of gRPC and gRPC-Web.

use http::{
    HeaderMap, HeaderValue, Version,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TE, TRAILER},
};

use super::metadata::GRPC_STATUS;
use crate::headers::has_token;

/// Content type of gRPC or of gRPC-Web.
///
/// A suffix that is not listed counts as none: the response to `application/grpc+thrift` is
/// `application/grpc`, which means the same for a response without a message.
///
/// For gRPC itself, the version of HTTP is part of it: see [`StatusEncoding::Unsent`]. The enum is
/// one byte together with the formats of plain HTTP, which a field of its own would make two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcContentType {
    /// `application/grpc`
    Grpc,
    /// `application/grpc+proto`
    GrpcProto,
    /// `application/grpc+json`
    GrpcJson,
    /// `application/grpc` over HTTP/1, from a client that accepts no trailers
    Http1,
    /// `application/grpc+proto` over HTTP/1, from a client that accepts no trailers
    Http1Proto,
    /// `application/grpc+json` over HTTP/1, from a client that accepts no trailers
    Http1Json,
    /// `application/grpc` over HTTP/1.1, from a client that accepts trailers
    Http1Trailers,
    /// `application/grpc+proto` over HTTP/1.1, from a client that accepts trailers
    Http1TrailersProto,
    /// `application/grpc+json` over HTTP/1.1, from a client that accepts trailers
    Http1TrailersJson,
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
    /// gRPC over HTTP/1 without trailers: no status can follow the messages.
    ///
    /// A server may send trailers only if the client accepts them (RFC 9110, section 6.5.1). hyper
    /// drops them silently otherwise, and also if the head of the response does not announce them
    /// in `trailer`. The body would then look complete.
    Unsent,
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
        let ([plain, proto, json], rest) = if let Some(rest) = strip_prefix(rest, b"-web-text") {
            ([Self::WebText, Self::WebTextProto, Self::WebText], rest)
        } else if let Some(rest) = strip_prefix(rest, b"-web") {
            ([Self::Web, Self::WebProto, Self::WebJson], rest)
        } else {
            ([Self::Grpc, Self::GrpcProto, Self::GrpcJson], rest)
        };
        match rest {
            [] => Some(plain),
            [b'+', suffix @ ..] if is(suffix, b"proto") => Some(proto),
            [b'+', suffix @ ..] if is(suffix, b"json") => Some(json),
            [b'+', _, ..] => Some(plain),
            _ => None,
        }
    }

    /// Returns the content type of a request of this version and with these headers.
    #[cold]
    pub(crate) fn of_request(self, version: Version, headers: &HeaderMap) -> Self {
        if version >= Version::HTTP_2 || is_translated(headers) {
            return self;
        }
        // HTTP/1.0 has no trailers (RFC 9112, section 7.1.2).
        let accepts_trailers = version == Version::HTTP_11 && has_token(headers, &TE, "trailers");
        match self {
            Self::Grpc if accepts_trailers => Self::Http1Trailers,
            Self::GrpcProto if accepts_trailers => Self::Http1TrailersProto,
            Self::GrpcJson if accepts_trailers => Self::Http1TrailersJson,
            Self::Grpc => Self::Http1,
            Self::GrpcProto => Self::Http1Proto,
            Self::GrpcJson => Self::Http1Json,
            web => web,
        }
    }

    /// Returns the content type of a response with these headers to a request with this content
    /// type.
    pub(crate) fn of_response(self, headers: &HeaderMap) -> Option<Self> {
        let response = Self::of(headers)?;
        let sends_trailers = match self {
            Self::Http1 | Self::Http1Proto | Self::Http1Json => false,
            Self::Http1Trailers | Self::Http1TrailersProto | Self::Http1TrailersJson => {
                // Trailers need the chunked coding (RFC 9112, section 7.1.2).
                has_token(headers, &TRAILER, GRPC_STATUS.as_str())
                    && !headers.contains_key(CONTENT_LENGTH)
            }
            _ => true,
        };
        Some(match response {
            Self::Grpc if !sends_trailers => Self::Http1,
            Self::GrpcProto if !sends_trailers => Self::Http1Proto,
            Self::GrpcJson if !sends_trailers => Self::Http1Json,
            response => response,
        })
    }

    /// Returns the value of `content-type`.
    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Grpc | Self::Http1 | Self::Http1Trailers => "application/grpc",
            Self::GrpcProto | Self::Http1Proto | Self::Http1TrailersProto => {
                "application/grpc+proto"
            }
            Self::GrpcJson | Self::Http1Json | Self::Http1TrailersJson => "application/grpc+json",
            Self::Web => "application/grpc-web",
            Self::WebProto => "application/grpc-web+proto",
            Self::WebJson => "application/grpc-web+json",
            Self::WebText => "application/grpc-web-text",
            Self::WebTextProto => "application/grpc-web-text+proto",
        })
    }

    /// Returns the encoding that the content type of a response stands for.
    pub(crate) fn status_encoding(self) -> StatusEncoding {
        match self {
            Self::Grpc | Self::GrpcProto | Self::GrpcJson => StatusEncoding::Trailers,
            Self::Http1
            | Self::Http1Proto
            | Self::Http1Json
            | Self::Http1Trailers
            | Self::Http1TrailersProto
            | Self::Http1TrailersJson => StatusEncoding::Unsent,
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

/// Returns whether a `GrpcWebLayer` has made the request of a gRPC-Web request, which may have come
/// over HTTP/1.
///
/// That layer writes the trailers of the response into a frame, whatever the version is. It leaves
/// no other trace than these two headers, which it sets to these values. If another layer does so
/// without them, a stream that fails is cut short.
fn is_translated(headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| value == "identity,deflate,gzip";
    headers.get(ACCEPT_ENCODING).is_some_and(accepts) && has_token(headers, &TE, "trailers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn a_status_follows_messages_over_http_1_only_if_the_server_sends_trailers() {
        let headers = |lines: &[(HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, HeaderValue::from_static(value));
            }
            headers
        };
        let encoding = |version, request: &HeaderMap, response: &HeaderMap| {
            let request = GrpcContentType::of(request)
                .unwrap()
                .of_request(version, request);
            request.of_response(response).unwrap().status_encoding()
        };
        let grpc = (CONTENT_TYPE, "application/grpc+proto");
        let te = headers(&[grpc.clone(), (TE, "gzip, Trailers")]);
        let no_te = headers(&[grpc.clone(), (TE, "gzip")]);
        let translated = headers(&[
            grpc.clone(),
            (TE, "trailers"),
            (ACCEPT_ENCODING, "identity,deflate,gzip"),
        ]);
        let announced = headers(&[grpc.clone(), (TRAILER, "x, Grpc-Status")]);
        let other = headers(&[grpc.clone(), (TRAILER, "x-checksum")]);
        let framed = headers(&[
            grpc.clone(),
            (TRAILER, "grpc-status"),
            (CONTENT_LENGTH, "9"),
        ]);
        let web = headers(&[(CONTENT_TYPE, "application/grpc-web")]);
        use StatusEncoding::*;
        for (version, request, response, expected) in [
            (Version::HTTP_2, &no_te, &other, Trailers),
            (Version::HTTP_3, &no_te, &other, Trailers),
            (Version::HTTP_11, &te, &announced, Trailers),
            (Version::HTTP_11, &translated, &other, Trailers),
            (Version::HTTP_11, &te, &other, Unsent),
            (Version::HTTP_11, &te, &framed, Unsent),
            (Version::HTTP_11, &no_te, &announced, Unsent),
            (Version::HTTP_10, &te, &announced, Unsent),
            (Version::HTTP_11, &te, &web, Frame),
            (Version::HTTP_11, &web, &web, Frame),
            (Version::HTTP_10, &no_te, &web, Frame),
        ] {
            let encoding = encoding(version, request, response);
            assert_eq!(encoding, expected, "{version:?} {request:?} {response:?}");
        }
    }

    #[test]
    fn the_suffix_is_the_same_over_every_version() {
        let mut te = HeaderMap::new();
        te.insert(TE, HeaderValue::from_static("trailers"));
        for content_type in [
            GrpcContentType::Grpc,
            GrpcContentType::GrpcProto,
            GrpcContentType::GrpcJson,
            GrpcContentType::WebTextProto,
        ] {
            for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
                for headers in [&HeaderMap::new(), &te] {
                    let of_request = content_type.of_request(version, headers);
                    assert_eq!(of_request.header_value(), content_type.header_value());
                }
            }
        }
    }

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
