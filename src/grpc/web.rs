//! Body of a gRPC-Web response, as [PROTOCOL-WEB.md] defines it.
//!
//! The body is a sequence of messages. Each follows a prefix of five bytes: one for the kind, four
//! for the length. The last frame has such a prefix too and holds the trailers. In the text form
//! the whole body is in Base64.
//!
//! [PROTOCOL-WEB.md]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};

use super::base64;
use crate::error::BoxError;

/// Maximum length of a frame of trailers that is read, in bytes.
///
/// No client of gRPC over HTTP/2 accepts as much by default. The rest of a longer frame is not
/// read, so that a body cannot occupy more memory.
const MAX_TRAILERS_BYTES: usize = 16 * 1024;

/// gRPC-Web body that tracks the position in its messages, and reads the trailers at its end.
pub(crate) struct TrackedBody<B> {
    body: Pin<Box<B>>,
    tracker: MessageTracker,
    /// Content of the frame of trailers, as far as it has been sent. Empty without an allocation
    /// while messages are sent.
    trailers: Vec<u8>,
}

impl<B> TrackedBody<B> {
    pub(crate) fn new(body: B, in_base64: bool) -> Self {
        Self {
            body: Box::pin(body),
            tracker: MessageTracker::new(in_base64),
            trailers: Vec::new(),
        }
    }

    /// Takes the trailers that the body has sent, once, after their frame is complete.
    ///
    /// Only the first [`MAX_TRAILERS_BYTES`] of the frame are read.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        let is_complete = self.tracker.has_sent_trailers() && !self.trailers.is_empty();
        is_complete.then(|| decode_trailers(&mem::take(&mut self.trailers)))
    }

    /// Returns the position after the last frame that the body has produced.
    pub(crate) fn tracker(&self) -> MessageTracker {
        self.tracker
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for TrackedBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref()) {
            this.tracker.record(data, &mut this.trailers);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Returns no hint, because a trailer frame may follow the inner body.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Bit in the first byte of a prefix that marks a frame of trailers.
const TRAILER_FLAG: u8 = 0x80;

/// First byte of a prefix whose frame holds trailers that are not compressed.
const PLAIN_TRAILERS: u8 = TRAILER_FLAG;

/// Position in the messages of a body that is being sent.
///
/// No trailers can follow an incomplete message, because the client would read them as the rest of
/// the message.
#[derive(Clone, Copy, Default)]
pub(crate) struct MessageTracker {
    /// `None` if the body is not in Base64.
    base64: Option<base64::Decoder>,
    /// Prefix of the next message, of which the first `prefix_len` bytes have been sent.
    prefix: [u8; 5],
    prefix_len: usize,
    /// Number of bytes of the current message that have not been sent.
    missing: u32,
    /// A frame of trailers has begun.
    ended: bool,
    /// The current frame holds trailers that can be read.
    in_trailers: bool,
}

impl MessageTracker {
    pub(crate) fn new(in_base64: bool) -> Self {
        Self {
            base64: in_base64.then(base64::Decoder::default),
            ..Self::default()
        }
    }

    /// Advances the position by `data`, which is sent next, and adds to `trailers` what `data` has
    /// of them.
    pub(crate) fn record(&mut self, data: &[u8], trailers: &mut Vec<u8>) {
        let Some(mut decoder) = self.base64 else {
            return self.record_binary(data, trailers);
        };
        for byte in data.iter().filter_map(|digit| decoder.push(*digit)) {
            self.record_binary(&[byte], trailers);
        }
        self.base64 = Some(decoder);
    }

    fn record_binary(&mut self, mut data: &[u8], trailers: &mut Vec<u8>) {
        loop {
            let skipped = data.len().min(self.missing as usize);
            if self.in_trailers {
                let read = skipped.min(MAX_TRAILERS_BYTES.saturating_sub(trailers.len()));
                trailers.extend_from_slice(&data[..read]);
            }
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
                self.in_trailers = kind == PLAIN_TRAILERS && !self.ended;
                self.ended |= kind & TRAILER_FLAG != 0;
                self.missing = u32::from_be_bytes(length);
                self.prefix_len = 0;
            }
        }
    }

    /// Returns whether the last frame that was sent is a whole frame of trailers.
    fn has_sent_trailers(&self) -> bool {
        self.in_trailers && self.missing == 0 && self.prefix_len == 0
    }

    /// Returns whether trailers may come next: not within a message, and not after trailers.
    pub(crate) fn may_end(&self) -> bool {
        let is_between = self.missing == 0 && self.prefix_len == 0 && !self.ended;
        let padding = self.base64.as_ref().map(base64::Decoder::padding);
        is_between && padding != Some(None)
    }

    /// Returns the data that ends the body with these trailers.
    pub(crate) fn trailer_frame(&self, trailers: &HeaderMap) -> Bytes {
        let frame = encode_trailers(trailers);
        match &self.base64 {
            None => frame.into(),
            Some(decoder) => {
                let padding = decoder.padding().unwrap_or_default();
                (padding.to_owned() + &base64::encode(&frame)).into()
            }
        }
    }
}

/// Encodes trailers as a block of HTTP/1 headers without the empty line, after the prefix.
fn encode_trailers(trailers: &HeaderMap) -> Vec<u8> {
    let mut frame = vec![TRAILER_FLAG, 0, 0, 0, 0];
    for (name, value) in trailers {
        frame.extend_from_slice(name.as_str().as_bytes());
        frame.push(b':');
        frame.extend_from_slice(value.as_bytes());
        frame.extend_from_slice(b"\r\n");
    }
    // No header map reaches the maximum length of four bytes.
    let length = u32::try_from(frame.len() - 5).unwrap_or(u32::MAX);
    frame[1..5].copy_from_slice(&length.to_be_bytes());
    frame
}

/// Decodes the content of a frame of trailers. A line that is no header is skipped.
fn decode_trailers(frame: &[u8]) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for line in frame.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().map(HeaderName::from_bytes);
        let value = parts.next().map(<[u8]>::trim_ascii);
        let value = value.map(HeaderValue::from_bytes);
        if let (Some(Ok(name)), Some(Ok(value))) = (name, value) {
            // A map of the maximum size takes no more.
            let _ = trailers.try_append(name, value);
        }
    }
    trailers
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
            // The content looks like the start of a trailer frame.
            data.resize(data.len() + length, TRAILER_FLAG);
        }
        data
    }

    #[test]
    fn trailer_frame_is_a_block_of_headers() {
        let frame = encode_trailers(&trailers());
        assert_eq!(frame[..5], [TRAILER_FLAG, 0, 0, 0, frame.len() as u8 - 5]);
        assert_eq!(
            &frame[5..],
            b"grpc-status:5\r\ngrpc-message:no: such\titem\r\nx-a:1\r\nx-a:2\r\n"
        );
    }

    #[test]
    fn nothing_follows_the_trailers() {
        let mut tracker = MessageTracker::new(false);
        tracker.record(&encode_trailers(&trailers()), &mut Vec::new());
        assert!(!tracker.may_end());
    }

    /// Returns the trailers that a body of these pieces has sent, and the number of bytes read.
    fn sent<'a>(
        in_base64: bool,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> (Option<HeaderMap>, usize) {
        let mut body = TrackedBody::new(http_body_util::Empty::<Bytes>::new(), in_base64);
        for piece in pieces {
            body.tracker.record(piece, &mut body.trailers);
        }
        let read = body.trailers.len();
        (body.take_trailers(), read)
    }

    #[test]
    fn memory_for_trailers_is_bounded() {
        let mut long = trailers();
        for i in 0..1_000 {
            let name = HeaderName::try_from(format!("x-{i}")).unwrap();
            long.insert(name, HeaderValue::try_from("v".repeat(100)).unwrap());
        }
        let frame = encode_trailers(&long);
        let (decoded, read) = sent(false, frame.chunks(999));
        assert_eq!(read, MAX_TRAILERS_BYTES);
        assert_eq!(decoded.unwrap()["grpc-status"], "5");
        // A frame that claims four gigabytes, and bytes after a frame of trailers.
        let (decoded, read) = sent(
            false,
            [&[0x80, 0xff, 0xff, 0xff, 0xff, b'x'][..]].into_iter(),
        );
        assert_eq!((decoded, read), (None, 1));
        let twice = encode_trailers(&trailers()).repeat(1_000);
        let (_, read) = sent(false, twice.chunks(999));
        assert_eq!(read, encode_trailers(&trailers()).len() - 5);
    }

    #[test]
    fn lines_that_are_no_headers_are_skipped() {
        let lines = b"Grpc-Status: 5\r\nno colon\r\na b:c\r\ngrpc-message:x:y\n\r\n:z";
        let decoded = decode_trailers(lines);
        assert_eq!(decoded.len(), 2);
        assert_eq!(decoded["grpc-status"], "5");
        assert_eq!(decoded["grpc-message"], "x:y");
    }

    #[test]
    fn compressed_trailers_are_not_read() {
        let (decoded, read) = sent(false, [&[0x81, 0, 0, 0, 1, b'x'][..]].into_iter());
        assert_eq!((decoded, read), (None, 0));
    }

    proptest! {
        /// The body is split anywhere, and the trailers may be a base64 text of their own.
        #[test]
        fn trailers_are_read_after_whole_messages(
            lengths in prop::collection::vec(0_usize..40, 0..4),
            cuts in prop::collection::vec(1_usize..20, 1..4),
            end in any::<prop::sample::Index>(),
            in_base64: bool,
            padded: bool,
        ) {
            let (before, frame) = (messages(&lengths), encode_trailers(&trailers()));
            let mut wire = [&before[..], &frame].concat();
            if in_base64 {
                wire = if padded {
                    (base64::encode(&before) + &base64::encode(&frame)).into()
                } else {
                    base64::encode(&wire).into()
                };
            }
            // The last digits may be padding.
            let whole = wire.len() - wire.iter().rev().take_while(|it| **it == b'=').count();
            let end = end.index(wire.len() + 1);
            let (mut rest, mut cuts) = (&wire[..end], cuts.iter().cycle());
            let mut pieces = Vec::new();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                pieces.push(piece);
                rest = after;
            }
            let (decoded, _) = sent(in_base64, pieces.into_iter());
            prop_assert_eq!(decoded, (end >= whole).then(trailers));
        }

        /// The body is split anywhere, in the text form also within a quantum.
        #[test]
        fn trailers_follow_only_whole_messages(
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
            let mut tracker = MessageTracker::new(in_base64);
            let (mut rest, mut cuts) = (&wire[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                tracker.record(piece, &mut Vec::new());
                rest = after;
            }
            prop_assert_eq!(tracker.may_end(), boundaries.contains(&end));
            if tracker.may_end() {
                wire.extend_from_slice(&tracker.trailer_frame(&trailers()));
                if in_base64 {
                    wire = base64::decode(&wire);
                }
                let mut expected = whole[..end].to_vec();
                expected.extend_from_slice(&encode_trailers(&trailers()));
                prop_assert_eq!(wire, expected);
            }
        }
    }
}
