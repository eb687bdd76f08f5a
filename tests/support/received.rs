//! A response as a client received it.

use std::{fmt, pin::pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, header::DATE};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;

use super::{SECRET, within};

/// A response as a client received it, to its end.
///
/// Displays in one line: the status, every header except `date` in the order of their names, the
/// body. A test that compares the line misses nothing.
#[derive(Debug)]
pub struct Received {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
    /// Whether the body ended in an error.
    pub aborted: bool,
    reason: Option<ReasonPhrase>,
}

impl Received {
    /// Reads a response that came over a socket. Returns it with the error that ended its body.
    ///
    /// # Panics
    ///
    /// Panics if the response contains [`SECRET`].
    pub async fn read<B>(response: Response<B>) -> (Self, Option<B::Error>)
    where
        B: Body<Data = Bytes>,
    {
        let (head, body) = response.into_parts();
        let mut body = pin!(body);
        let (mut data, mut trailers, mut error) = (BytesMut::new(), None, None);
        while let Some(frame) = within(body.frame()).await {
            match frame.map(|frame| frame.into_data().map_err(|frame| frame.into_trailers())) {
                Ok(Ok(more)) => data.extend_from_slice(&more),
                Ok(Err(more)) => trailers = more.ok(),
                Err(failed) => {
                    error = Some(failed);
                    break;
                }
            }
        }
        let received = Self {
            status: head.status,
            headers: head.headers,
            body: data.freeze(),
            trailers,
            aborted: error.is_some(),
            reason: head.extensions.get().cloned(),
        };
        assert!(
            !received.contains(SECRET),
            "the client received a secret: {received}"
        );
        (received, error)
    }

    /// Reads a response that came over no socket, and whose body does not fail.
    pub async fn of<B: Body<Data = Bytes, Error: fmt::Debug>>(response: Response<B>) -> Self {
        let (received, error) = Self::read(response).await;
        assert!(error.is_none(), "{error:?}");
        received
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    /// Returns all headers except `date`, which differs from one response to the next.
    pub fn headers_without_date(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.remove(DATE);
        headers
    }

    /// Returns the body, which is UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that this is an exception as the default renderer renders it.
    #[track_caller]
    pub fn assert_detail(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let body = serde_json::json!({ "detail": detail }).to_string();
        assert_eq!(self.text(), body);
        let length = body.len().to_string();
        assert_eq!(self.header("content-length"), Some(&*length));
        assert!(!self.aborted);
    }

    /// Asserts that this is the response to an error that no handler and no table knows.
    #[track_caller]
    pub fn assert_default_500(&self) {
        self.assert_detail(500, "Internal Server Error");
    }

    fn contains(&self, text: &str) -> bool {
        let reason = self.reason.as_ref();
        let reason = reason.map_or(&b""[..], ReasonPhrase::as_bytes);
        let lines = self.headers.iter();
        let lines = lines.chain(self.trailers.iter().flatten());
        lines
            .flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()])
            .chain([reason, &self.body])
            .any(|bytes| String::from_utf8_lossy(bytes).contains(text))
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.as_str())?;
        let mut lines: Vec<_> = self.headers.iter().collect();
        lines.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in lines {
            if name != DATE {
                write!(f, " | {name}: {}", value.as_bytes().escape_ascii())?;
            }
        }
        if !self.body.is_empty() {
            write!(f, " | {}", String::from_utf8_lossy(&self.body))?;
        }
        Ok(())
    }
}
