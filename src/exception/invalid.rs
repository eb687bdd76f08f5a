//! Methods for the faults of a request that an exception lists.

use http::StatusCode;

use super::{
    fault::Fault,
    fault_position::{FaultPosition, RequestPart},
    http::HttpException,
};

/// Methods for the faults of a request.
///
/// | protocol or form | a list of faults |
/// | --- | --- |
/// | [`Json`](crate::render::Json), FastAPI's form | the detail: `[{"type": ..., "loc": [...], "msg": ...}]` |
/// | [`Problem`](crate::render::Problem) | the member `errors`: `[{"detail": ..., "pointer": ...}]` |
/// | [`Html`](crate::render::Html), [`Text`](crate::render::Text) | a list, a line for each fault |
/// | gRPC | a `BadRequest` of [google.rpc] with the feature `tonic`, and the faults as the message |
///
/// A [detail](Self::with_detail) takes the place of the list in FastAPI's form, which has room for
/// one of them. The other forms have both.
///
/// [google.rpc]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
///
/// # Examples
///
/// ```
/// use tower_exception::{Fault, HttpException};
///
/// let exception = HttpException::invalid()
///     .at("/items/3/price", "must be positive")
///     .at_query("page", Fault::new("must be at most 100").with_type("less_than_equal"));
///
/// assert_eq!(exception.status(), 422);
/// assert_eq!(
///     exception.detail_or_reason().to_string(),
///     concat!(
///         r#"[{"type":"value_error","loc":["body","items",3,"price"],"msg":"must be positive"},"#,
///         r#"{"type":"less_than_equal","loc":["query","page"],"msg":"must be at most 100"}]"#,
///     ),
/// );
/// assert_eq!(
///     exception.to_string(),
///     "422: items[3].price: must be positive; query parameter page: must be at most 100",
/// );
/// ```
impl HttpException {
    /// Creates a 422 that lists faults of the request. The list is empty at first.
    ///
    /// An empty list is not sent: the client receives the reason of the status.
    #[track_caller]
    pub fn invalid() -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// Adds the fault of a value in the body. An empty pointer is the body as a whole.
    ///
    /// `pointer` is a JSON pointer (RFC 6901), such as `/items/3/price`: a `/` before each step,
    /// with `~1` for a `/` in the name of a field and `~0` for a `~`. A number is the index in an
    /// array. A pointer without its first `/` is read as if it had one.
    pub fn at(self, pointer: impl AsRef<str>, fault: impl Into<Fault>) -> Self {
        self.with_fault(fault, FaultPosition::of_pointer(pointer.as_ref()))
    }

    /// Adds the fault of a parameter in the query.
    pub fn at_query(self, name: impl AsRef<str>, fault: impl Into<Fault>) -> Self {
        self.with_fault(
            fault,
            FaultPosition::of_name(RequestPart::Query, name.as_ref()),
        )
    }

    /// Adds the fault of a parameter in the path.
    pub fn at_path(self, name: impl AsRef<str>, fault: impl Into<Fault>) -> Self {
        self.with_fault(
            fault,
            FaultPosition::of_name(RequestPart::Path, name.as_ref()),
        )
    }

    /// Adds the fault of a header.
    pub fn at_header(self, name: impl AsRef<str>, fault: impl Into<Fault>) -> Self {
        self.with_fault(
            fault,
            FaultPosition::of_name(RequestPart::Header, name.as_ref()),
        )
    }

    pub(crate) fn with_fault(mut self, fault: impl Into<Fault>, position: FaultPosition) -> Self {
        let fault = fault.into().with_position(position);
        self.supplement_mut().faults.add(fault);
        self
    }

    /// Returns the faults in the order in which they were added.
    pub fn faults(&self) -> &[Fault] {
        self.supplement().map_or(&[], |it| it.faults.as_slice())
    }
}
