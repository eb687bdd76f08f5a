//! The body of a gRPC-Web response: messages, each behind five bytes that say what it is and how long, and
//! at last a frame of the same make that holds the trailers. In the text form all of it is in base64.
//!
//! [PROTOCOL-WEB.md](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md)

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::base64;
use crate::BoxError;

/// A gRPC-Web body, of which is known how far its messages have been sent.
pub struct WebBody<B> {
    body: Pin<Box<B>>,
    sent: Sent,
}

impl<B> WebBody<B> {
    pub(crate) fn new(body: B, in_base64: bool) -> Self {
        Self {
            body: Box::pin(body),
            sent: Sent::nothing_yet(in_base64),
        }
    }

    pub(crate) fn sent(&self) -> Sent {
        self.sent
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for WebBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref()) {
            self.sent.send(data);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Not what the inner body says: a frame may come behind it.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// What marks a frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// How far the messages of a body have been sent. Behind half a message no trailers can be told: the client
/// would take them for its other half.
#[derive(Clone, Copy, Default)]
pub struct Sent {
    /// `None` where it is not in base64.
    base64: Option<base64::Decoder>,
    /// What is there of the five bytes before the next message.
    prefix: [u8; 5],
    prefix_len: usize,
    /// What is missing of the message.
    missing: u32,
    /// The trailers are sent.
    over: bool,
}

impl Sent {
    pub(crate) fn nothing_yet(in_base64: bool) -> Self {
        Self {
            base64: in_base64.then(base64::Decoder::default),
            ..Self::default()
        }
    }

    /// `data` goes out.
    pub(crate) fn send(&mut self, data: &[u8]) {
        let Some(mut decoder) = self.base64 else {
            return self.send_binary(data);
        };
        for byte in data.iter().filter_map(|digit| decoder.push(*digit)) {
            self.send_binary(&[byte]);
        }
        self.base64 = Some(decoder);
    }

    fn send_binary(&mut self, mut data: &[u8]) {
        loop {
            let skipped = data.len().min(self.missing as usize);
            data = &data[skipped..];
            self.missing -= skipped as u32;
            let Some((byte, rest)) = data.split_first() else {
                return;
            };
            data = rest;
            self.prefix[self.prefix_len] = *byte;
            self.prefix_len += 1;
            if self.prefix_len == self.prefix.len() {
                let [kind, length @ ..] = self.prefix;
                self.over |= kind & TRAILERS != 0;
                self.missing = u32::from_be_bytes(length);
                self.prefix_len = 0;
            }
        }
    }

    /// Whether trailers may come next: not within a message, nor behind trailers.
    pub(crate) fn may_end(&self) -> bool {
        let is_between = self.missing == 0 && self.prefix_len == 0 && !self.over;
        let padding = self.base64.as_ref().map(base64::Decoder::padding);
        is_between && padding != Some(None)
    }

    /// What ends the body with these trailers.
    pub(crate) fn end(&self, trailers: &HeaderMap) -> Bytes {
        let frame = frame(trailers);
        match &self.base64 {
            None => frame.into(),
            Some(decoder) => {
                let padding = decoder.padding().unwrap_or_default();
                (padding.to_owned() + &base64::encode(&frame)).into()
            }
        }
    }
}

/// Trailers, as a block of HTTP/1 headers without the empty line.
fn frame(trailers: &HeaderMap) -> Vec<u8> {
    let mut frame = vec![TRAILERS, 0, 0, 0, 0];
    for (name, value) in trailers {
        frame.extend_from_slice(name.as_str().as_bytes());
        frame.push(b':');
        frame.extend_from_slice(value.as_bytes());
        frame.extend_from_slice(b"\r\n");
    }
    // No map of headers is as long as four bytes can tell.
    let length = u32::try_from(frame.len() - 5).unwrap_or(u32::MAX);
    frame[1..5].copy_from_slice(&length.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn trailers() -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        trailers.insert("grpc-message", HeaderValue::from_static("no: such\titem"));
        trailers.append("x-a", HeaderValue::from_static("1"));
        trailers.append("x-a", HeaderValue::from_static("2"));
        trailers
    }

    fn messages(lengths: &[usize]) -> Vec<u8> {
        let mut data = Vec::new();
        for &length in lengths {
            data.push(0);
            data.extend_from_slice(&(length as u32).to_be_bytes());
            // Looks like the start of a trailer frame.
            data.resize(data.len() + length, TRAILERS);
        }
        data
    }

    #[test]
    fn a_frame() {
        let frame = frame(&trailers());
        assert_eq!(frame[..5], [TRAILERS, 0, 0, 0, frame.len() as u8 - 5]);
        assert_eq!(
            &frame[5..],
            b"grpc-status:5\r\ngrpc-message:no: such\titem\r\nx-a:1\r\nx-a:2\r\n"
        );
    }

    #[test]
    fn nothing_comes_behind_the_trailers() {
        let mut sent = Sent::nothing_yet(false);
        sent.send(&frame(&trailers()));
        assert!(!sent.may_end());
    }

    proptest! {
        /// However it is cut up, in text also where a piece does not end with a quantum.
        #[test]
        fn trailers_come_behind_whole_messages_and_nowhere_else(
            lengths in prop::collection::vec(0_usize..40, 0..4),
            cuts in prop::collection::vec(1_usize..20, 1..4),
            end in any::<prop::sample::Index>(),
            in_base64: bool,
            padded: bool,
        ) {
            let whole = messages(&lengths);
            let end = end.index(whole.len() + 1);
            let mut boundaries = vec![0];
            for length in &lengths {
                boundaries.push(boundaries.last().unwrap() + 5 + length);
            }
            let mut wire = whole[..end].to_vec();
            if in_base64 {
                let text = base64::encode(&wire);
                let text = if padded { &text } else { text.trim_end_matches('=') };
                wire = text.into();
            }
            let mut sent = Sent::nothing_yet(in_base64);
            let (mut rest, mut cuts) = (&wire[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                sent.send(piece);
                rest = after;
            }
            prop_assert_eq!(sent.may_end(), boundaries.contains(&end));
            if sent.may_end() {
                wire.extend_from_slice(&sent.end(&trailers()));
                if in_base64 {
                    wire = base64::tests::decode(&wire);
                }
                let mut expected = whole[..end].to_vec();
                expected.extend_from_slice(&frame(&trailers()));
                prop_assert_eq!(wire, expected);
            }
        }
    }
}
