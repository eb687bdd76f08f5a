//! Status code of a WebSocket close frame.

use std::{fmt, num::NonZeroU16};

/// Status code of a WebSocket close frame: one that an endpoint may send.
///
/// [RFC 6455, section 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4) and the
/// [IANA registry](https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number)
/// leave these codes to an endpoint: 1000 to 1003, 1007 to 1014 and 3000 to 4999. The others are
/// reserved, or describe what a client saw (1005, 1006, 1015) and are never sent in a frame. This
/// type cannot hold them.
///
/// # Examples
///
/// ```
/// use tower_exception::CloseCode;
///
/// # fn main() -> Result<(), tower_exception::InvalidCloseCode> {
/// assert_eq!(CloseCode::from_u16(1008)?, CloseCode::POLICY_VIOLATION);
/// assert_eq!(CloseCode::from_u16(4404)?, 4404);
/// assert!(CloseCode::from_u16(1006).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(NonZeroU16);

/// Defines one constant per row. Each is checked when the crate is compiled.
macro_rules! close_codes {
    ($($(#[$docs:meta])* $name:ident = $code:literal;)*) => {
        impl CloseCode {
            $(
                $(#[$docs])*
                pub const $name: Self = match Self::from_u16($code) {
                    Ok(code) => code,
                    Err(_) => panic!("not a close code that an endpoint may send"),
                };
            )*
        }
    };
}

close_codes! {
    /// 1000: the purpose of the connection is fulfilled.
    NORMAL_CLOSURE = 1000;
    /// 1001: the server shuts down, or the browser leaves the page.
    GOING_AWAY = 1001;
    /// 1002: the peer broke the protocol.
    PROTOCOL_ERROR = 1002;
    /// 1003: a kind of data that the endpoint cannot accept, such as binary in place of text.
    UNSUPPORTED_DATA = 1003;
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    INVALID_PAYLOAD = 1007;
    /// 1008: a message that breaks the server's policy, or a fault that has no better code.
    POLICY_VIOLATION = 1008;
    /// 1009: a message that is too big to process.
    MESSAGE_TOO_BIG = 1009;
    /// 1010: the server did not negotiate an extension that the client needs.
    MANDATORY_EXTENSION = 1010;
    /// 1011: an unexpected condition prevents the server from fulfilling the request.
    INTERNAL_ERROR = 1011;
    /// 1012: the server restarts; the client may connect again after a random delay.
    SERVICE_RESTART = 1012;
    /// 1013: the server is overloaded; the client should try again later.
    TRY_AGAIN_LATER = 1013;
    /// 1014: the server is a gateway and received an invalid response from upstream.
    BAD_GATEWAY = 1014;
    /// 3000: the client must authenticate first, like 401 in HTTP.
    UNAUTHORIZED = 3000;
    /// 3003: the client lacks permission, like 403 in HTTP.
    FORBIDDEN = 3003;
    /// 3008: the peer was silent for too long, like 408 in HTTP.
    TIMEOUT = 3008;
}

impl CloseCode {
    /// Converts a number to a close code.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidCloseCode`] if no endpoint may send `code`.
    pub const fn from_u16(code: u16) -> Result<Self, InvalidCloseCode> {
        match (code, NonZeroU16::new(code)) {
            (1000..=1003 | 1007..=1014 | 3000..=4999, Some(code)) => Ok(Self(code)),
            _ => Err(InvalidCloseCode(code)),
        }
    }

    /// Returns the code as a number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_exception::CloseCode;
    /// assert_eq!(CloseCode::GOING_AWAY.as_u16(), 1001);
    /// ```
    pub const fn as_u16(self) -> u16 {
        self.0.get()
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, other: &u16) -> bool {
        self.as_u16() == *other
    }
}

impl PartialEq<CloseCode> for u16 {
    fn eq(&self, other: &CloseCode) -> bool {
        *self == other.as_u16()
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::from_u16(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.as_u16()
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Error of [`CloseCode::from_u16`]: no endpoint may send the number as a close code.
///
/// # Examples
///
/// ```
/// # use tower_exception::CloseCode;
/// let error = CloseCode::from_u16(1005).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "1005 is not a close code that an endpoint may send: \
///      those are 1000 to 1003, 1007 to 1014 and 3000 to 4999"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCloseCode(u16);

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not a close code that an endpoint may send: \
             those are 1000 to 1003, 1007 to 1014 and 3000 to 4999",
            self.0
        )
    }
}

impl std::error::Error for InvalidCloseCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_exactly_the_codes_that_an_endpoint_may_send() {
        for code in 0..=u16::MAX {
            let may_be_sent = (1000..=1003).contains(&code)
                || (1007..=1014).contains(&code)
                || (3000..=4999).contains(&code);
            assert_eq!(
                CloseCode::from_u16(code).map(CloseCode::as_u16).ok(),
                may_be_sent.then_some(code)
            );
        }
    }

    #[test]
    fn an_option_is_no_larger_than_a_u16() {
        assert_eq!(size_of::<Option<CloseCode>>(), size_of::<u16>());
    }

    #[test]
    fn compares_with_numbers() {
        assert_eq!(CloseCode::GOING_AWAY, 1001);
        assert_eq!(1001, CloseCode::GOING_AWAY);
        assert_ne!(CloseCode::GOING_AWAY, 1000);
        assert_ne!(1000, CloseCode::GOING_AWAY);
    }
}
