use http::{HeaderMap, HeaderValue, Method, Request, header::CONTENT_TYPE};

/// The form in which a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A response over plain HTTP.
    Full,
    /// The same without its body, to a `HEAD` request.
    Head,
    /// A gRPC status.
    Grpc(Protocol),
}

/// A content type of gRPC's or of gRPC-Web's.
///
/// A suffix that is not listed counts as none: `application/grpc+thrift` is answered as `application/grpc`,
/// which says the same of a response without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    GrpcProto,
    GrpcJson,
    Web,
    WebProto,
    WebJson,
    WebText,
    WebTextProto,
}

/// How a protocol carries messages, and the status behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// gRPC: the status is in HTTP's trailers.
    Trailers,
    /// gRPC-Web: the status is one more frame of the body.
    Frame,
    /// gRPC-Web's text form: the same, and all of it in base64.
    Base64Frame,
}

impl Form {
    /// Only a `POST` can be gRPC, so that for other methods no header is looked at.
    #[inline]
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        match *request.method() {
            Method::POST => Protocol::of(request.headers()).map_or(Self::Full, Self::Grpc),
            Method::HEAD => Self::Head,
            _ => Self::Full,
        }
    }

    /// The form of a response to such a request, by its own account: a `GrpcWebLayer` gives another one than it
    /// was asked in where the client accepts that, and an error page is no gRPC at all.
    pub(crate) fn of_response(self, head: &HeaderMap) -> Self {
        match self {
            Self::Grpc(_) => Protocol::of(head).map_or(Self::Full, Self::Grpc),
            Self::Full | Self::Head => self,
        }
    }

    #[inline]
    pub(crate) fn carrier(self) -> Option<Carrier> {
        match self {
            Self::Grpc(protocol) => Some(protocol.carrier()),
            Self::Full | Self::Head => None,
        }
    }
}

impl Protocol {
    /// The protocol that a message's head names.
    #[inline]
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::named(headers.get(CONTENT_TYPE)?.as_bytes())
    }

    /// `application/grpc`, `-web` or `-web-text` after it, then `+` and a suffix or nothing, then parameters
    /// or nothing.
    fn named(content_type: &[u8]) -> Option<Self> {
        let rest = strip_prefix(content_type, b"application/grpc")?;
        let rest = rest.split(|byte| *byte == b';').next()?.trim_ascii_end();
        let (carrier, rest) = if let Some(rest) = strip_prefix(rest, b"-web-text") {
            (Carrier::Base64Frame, rest)
        } else if let Some(rest) = strip_prefix(rest, b"-web") {
            (Carrier::Frame, rest)
        } else {
            (Carrier::Trailers, rest)
        };
        let suffix = match rest {
            [] => rest,
            [b'+', suffix @ ..] if !suffix.is_empty() => suffix,
            _ => return None,
        };
        let (proto, json) = (is(suffix, b"proto"), is(suffix, b"json"));
        Some(match carrier {
            Carrier::Trailers if proto => Self::GrpcProto,
            Carrier::Trailers if json => Self::GrpcJson,
            Carrier::Trailers => Self::Grpc,
            Carrier::Frame if proto => Self::WebProto,
            Carrier::Frame if json => Self::WebJson,
            Carrier::Frame => Self::Web,
            Carrier::Base64Frame if proto => Self::WebTextProto,
            Carrier::Base64Frame => Self::WebText,
        })
    }

    pub(crate) fn content_type(self) -> HeaderValue {
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

    fn carrier(self) -> Carrier {
        match self {
            Self::Grpc | Self::GrpcProto | Self::GrpcJson => Carrier::Trailers,
            Self::Web | Self::WebProto | Self::WebJson => Carrier::Frame,
            Self::WebText | Self::WebTextProto => Carrier::Base64Frame,
        }
    }
}

/// Media types are the same in any case (RFC 9110, section 8.3.1).
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
    fn every_content_type_of_grpc_and_no_other() {
        use Protocol::*;
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
                Protocol::named(content_type.as_bytes()),
                expected,
                "{content_type}"
            );
        }
    }

    #[test]
    fn is_answered_with_the_same_content_type() {
        use Protocol::*;
        for protocol in [
            Grpc,
            GrpcProto,
            GrpcJson,
            Web,
            WebProto,
            WebJson,
            WebText,
            WebTextProto,
        ] {
            let content_type = protocol.content_type();
            assert_eq!(Protocol::named(content_type.as_bytes()), Some(protocol));
        }
    }

    #[test]
    fn only_a_post_is_grpc() {
        let form = |method: Method| {
            let request = Request::builder()
                .method(method)
                .header(CONTENT_TYPE, "application/grpc");
            Form::of(&request.body(()).unwrap())
        };
        assert_eq!(form(Method::POST), Form::Grpc(Protocol::Grpc));
        assert_eq!(form(Method::GET), Form::Full);
        assert_eq!(form(Method::PUT), Form::Full);
        assert_eq!(form(Method::HEAD), Form::Head);
    }

    #[test]
    fn one_byte() {
        assert_eq!(size_of::<Form>(), 1);
    }
}
