//! Frames in bytes (RFC 6455, section 5.2).

/// First byte of an unfragmented text frame.
pub const TEXT: u8 = 0x81;

/// First byte of a close frame.
pub const CLOSE: u8 = 0x88;

/// Returns a frame as a server sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, u8::try_from(payload.len()).unwrap()];
    assert!(payload.len() < 126);
    frame.extend(payload);
    frame
}

/// Returns a frame as a client sends it, with a mask.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = frame(first, &[]);
    bytes[1] = 0x80 | u8::try_from(payload.len()).unwrap();
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// Returns the payload of a close frame.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// Returns a close frame as a server sends it.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &close_payload(code, reason))
}

/// Returns a close frame without a reason, as a client sends it.
pub fn masked_close(code: u16) -> Vec<u8> {
    masked(CLOSE, &close_payload(code, ""))
}

/// Returns messages as a client sends them: more bytes than the sockets buffer.
pub fn megabytes() -> Vec<u8> {
    let message = masked(TEXT, &[b'x'; 125]);
    message.repeat((8 << 20) / message.len())
}
