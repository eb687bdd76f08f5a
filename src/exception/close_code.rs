use std::{fmt, num::NonZeroU16};

/// The status code of a WebSocket close frame: one that an endpoint may send.
///
/// [RFC 6455, section 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4) and the
/// [IANA registry](https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number)
/// leave these to an endpoint: 1000 to 1003, 1007 to 1014 and 3000 to 4999. The others are reserved,
/// or describe what a client saw (1005, 1006, 1015) and never stand in a frame, so this type cannot
/// hold them.
///
/// ```
/// use tower_exception::CloseCode;
///
/// # fn main() -> Result<(), tower_exception::InvalidCloseCode> {
/// assert_eq!(CloseCode::new(1008)?, CloseCode::POLICY_VIOLATION);
/// assert_eq!(CloseCode::new(4404)?.get(), 4404);
/// assert!(CloseCode::new(1006).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(NonZeroU16);

/// Defines one constant a row, each checked when the crate is compiled.
macro_rules! close_codes {
    ($($(#[$docs:meta])* $name:ident = $code:literal;)*) => {
        impl CloseCode {
            $(
                $(#[$docs])*
                pub const $name: Self = match Self::new($code) {
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
    /// 1001: the server goes down, or the browser leaves the page.
    GOING_AWAY = 1001;
    /// 1002: the peer broke the protocol.
    PROTOCOL_ERROR = 1002;
    /// 1003: a kind of data that cannot be accepted, such as binary where text is expected.
    UNSUPPORTED_DATA = 1003;
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    INVALID_PAYLOAD = 1007;
    /// 1008: a message that breaks the server's policy, or whatever has no better code.
    POLICY_VIOLATION = 1008;
    /// 1009: a message too big to be handled.
    MESSAGE_TOO_BIG = 1009;
    /// 1010: an extension that the client needs was not offered.
    MANDATORY_EXTENSION = 1010;
    /// 1011: something unexpected kept the server from going on.
    INTERNAL_ERROR = 1011;
    /// 1012: the server restarts; the client may connect again after a random wait.
    SERVICE_RESTART = 1012;
    /// 1013: the server is overloaded; the client should try again later.
    TRY_AGAIN_LATER = 1013;
    /// 1014: the server is a gateway and got an invalid answer from upstream.
    BAD_GATEWAY = 1014;
    /// 3000: the client must authenticate first, like HTTP's 401.
    UNAUTHORIZED = 3000;
    /// 3003: the client may not do this, like HTTP's 403.
    FORBIDDEN = 3003;
    /// 3008: the peer was silent for too long.
    TIMEOUT = 3008;
}

impl CloseCode {
    /// Takes a code as a number.
    ///
    /// # Errors
    ///
    /// [`InvalidCloseCode`] where no endpoint may send `code`.
    pub const fn new(code: u16) -> Result<Self, InvalidCloseCode> {
        match (code, NonZeroU16::new(code)) {
            (1000..=1003 | 1007..=1014 | 3000..=4999, Some(code)) => Ok(Self(code)),
            _ => Err(InvalidCloseCode(code)),
        }
    }

    /// The code as a number.
    ///
    /// ```
    /// # use tower_exception::CloseCode;
    /// assert_eq!(CloseCode::GOING_AWAY.get(), 1001);
    /// ```
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::new(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.get()
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

/// A number that no endpoint may send as a close code. See [`CloseCode::new`].
///
/// ```
/// # use tower_exception::CloseCode;
/// let error = CloseCode::new(1005).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "1005 is no close code that an endpoint may send: \
///      those are 1000 to 1003, 1007 to 1014 and 3000 to 4999"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCloseCode(u16);

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is no close code that an endpoint may send: \
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
    fn exactly_the_codes_that_an_endpoint_may_send() {
        for code in 0..=u16::MAX {
            let may_be_sent = (1000..=1003).contains(&code)
                || (1007..=1014).contains(&code)
                || (3000..=4999).contains(&code);
            assert_eq!(
                CloseCode::new(code).map(CloseCode::get).ok(),
                may_be_sent.then_some(code)
            );
        }
    }

    #[test]
    fn an_option_costs_nothing() {
        assert_eq!(size_of::<Option<CloseCode>>(), size_of::<u16>());
    }
}
