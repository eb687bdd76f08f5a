//! The faults of a request in a problem document.

use std::fmt::Write;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::exception::{Fault, RequestPart};

/// A fault as an element of the member `errors`, as RFC 9457, section 3 shows it:
/// `{"detail":"must be positive","pointer":"#/items/3/price"}`, with the type as the code.
///
/// A parameter of the query or the path has its name as `parameter`, a header as `header`.
pub(super) struct ProblemError<'a>(pub(super) &'a Fault);

impl Serialize for ProblemError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fault = self.0;
        let mut error = serializer.serialize_struct("ProblemError", 3)?;
        error.serialize_field("detail", fault.message())?;
        match fault.part() {
            RequestPart::Body => error.serialize_field("pointer", &fragment(&fault.pointer()))?,
            RequestPart::Header => error.serialize_field("header", &fault.path())?,
            _ => error.serialize_field("parameter", &fault.path())?,
        }
        error.serialize_field("code", fault.fault_type())?;
        error.end()
    }
}

/// Writes a JSON pointer as the fragment of a URI (RFC 6901, section 6).
fn fragment(pointer: &str) -> String {
    let mut fragment = String::from("#");
    for byte in pointer.bytes() {
        // The characters of a fragment (RFC 3986, section 3.5).
        match byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) {
            true => fragment.push(char::from(byte)),
            // A `String` cannot fail.
            false => _ = write!(fragment, "%{byte:02X}"),
        }
    }
    fragment
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6901, section 6.
    #[test]
    fn a_pointer_is_a_fragment_as_in_rfc_6901() {
        for (pointer, expected) in [
            ("", "#"),
            ("/foo/0", "#/foo/0"),
            ("/", "#/"),
            ("/a~1b", "#/a~1b"),
            ("/c%d", "#/c%25d"),
            ("/e^f", "#/e%5Ef"),
            ("/g|h", "#/g%7Ch"),
            ("/i\\j", "#/i%5Cj"),
            ("/k\"l", "#/k%22l"),
            ("/ ", "#/%20"),
            ("/m~0n", "#/m~0n"),
            ("/\u{fc}", "#/%C3%BC"),
        ] {
            assert_eq!(fragment(pointer), expected);
        }
    }
}
