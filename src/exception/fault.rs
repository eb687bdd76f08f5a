//! Fault of a request: a position in the request, and the reason for which it is refused.

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::{RawValue, to_raw_value};

use super::fault_position::{FaultPosition, RequestPart};

/// Type of a fault unless [`Fault::with_type`] sets another one. Pydantic has it for a value that
/// a function of the user refuses.
const DEFAULT_TYPE: &str = "value_error";

/// Fault of a request: a position in it, and a message that says why it is refused.
///
/// [`HttpException::invalid`](crate::HttpException::invalid) lists faults. A text converts into a
/// fault with that message.
///
/// `Serialize` writes FastAPI's form: `{"type": ..., "loc": [...], "msg": ..., "input": ...}`.
/// `input` is left out unless it was set.
///
/// # Examples
///
/// ```
/// use tower_exception::{Fault, HttpException, RequestPart};
///
/// let exception = HttpException::invalid()
///     .at("/items/3/price", "must be positive")
///     .at("/customer", Fault::missing());
///
/// let [price, customer] = exception.faults() else { unreachable!() };
/// assert_eq!(price.part(), RequestPart::Body);
/// assert_eq!(price.pointer(), "/items/3/price");
/// assert_eq!(price.to_string(), "items[3].price: must be positive");
/// assert_eq!(customer.fault_type(), "missing");
/// ```
#[derive(Clone)]
#[must_use = "a fault is part of an exception"]
pub struct Fault {
    position: FaultPosition,
    fault_type: Cow<'static, str>,
    message: Cow<'static, str>,
    input: Option<Box<RawValue>>,
}

impl Fault {
    /// Creates a fault of the whole body, of the type `value_error`.
    ///
    /// The client receives the message.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            position: FaultPosition::BODY,
            fault_type: Cow::Borrowed(DEFAULT_TYPE),
            message: message.into(),
            input: None,
        }
    }

    /// Creates the fault of a value that is required and missing. It has the type and the message
    /// that FastAPI has for it: `missing`, `Field required`.
    pub fn missing() -> Self {
        Self::new("Field required").with_type("missing")
    }

    /// Sets the type: a stable name of the kind of fault, for programs. Defaults to `value_error`.
    ///
    /// The usual form is snake case, such as `string_too_short`.
    pub fn with_type(mut self, fault_type: impl Into<Cow<'static, str>>) -> Self {
        self.fault_type = fault_type.into();
        self
    }

    /// Sets the value that is refused, as JSON. The client receives it, and so does everybody who
    /// reads the response in a log.
    ///
    /// # Errors
    ///
    /// Returns an error if the `Serialize` of `input` fails, or if `input` contains a map whose
    /// keys are not text.
    pub fn try_with_input(
        mut self,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Self, serde_json::Error> {
        self.input = Some(to_raw_value(input)?);
        Ok(self)
    }

    /// Sets the value that is refused to JSON, or to null if it is not known.
    #[cfg(feature = "serde_path_to_error")]
    pub(super) fn with_input(mut self, input: Option<serde_json::Value>) -> Self {
        self.input = to_raw_value(&input).ok();
        self
    }

    pub(super) fn with_position(mut self, position: FaultPosition) -> Self {
        self.position = position;
        self
    }

    /// Returns the part of the request.
    pub fn part(&self) -> RequestPart {
        self.position.part()
    }

    /// Returns the position in that part as a JSON pointer (RFC 6901), such as `/items/3/price` or,
    /// for a parameter or a header, `/page`. It is empty for the whole part.
    pub fn pointer(&self) -> String {
        self.position.pointer()
    }

    /// Returns the type.
    pub fn fault_type(&self) -> &str {
        &self.fault_type
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the value that is refused, as JSON, if it was set.
    pub fn input(&self) -> Option<&RawValue> {
        self.input.as_deref()
    }

    /// Returns the position in that part in the form of google.rpc's `FieldViolation`, such as
    /// `items[3].price` or, for a parameter or a header, its name.
    pub(crate) fn path(&self) -> String {
        self.position.path()
    }
}

impl From<&'static str> for Fault {
    fn from(message: &'static str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// Writes the position and the message: `items[3].price: must be positive`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

/// Does not show the value that is refused, which may be a secret.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("part", &self.part())
            .field("pointer", &self.pointer())
            .field("type", &self.fault_type)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 3 + usize::from(self.input.is_some());
        let mut fault = serializer.serialize_struct("Fault", fields)?;
        fault.serialize_field("type", &self.fault_type)?;
        fault.serialize_field("loc", &self.position)?;
        fault.serialize_field("msg", &self.message)?;
        match &self.input {
            Some(input) => fault.serialize_field("input", input)?,
            None => fault.skip_field("input")?,
        }
        fault.end()
    }
}
