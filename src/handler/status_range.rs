//! The statuses that a handler is for.

use std::ops::{Range, RangeFrom, RangeInclusive};

use http::StatusCode;

/// Statuses that [`on_status`](crate::ExceptionLayer::on_status) takes: one, or a range of them.
///
/// One status is a [`StatusCode`] or its number, such as `404`.
/// `400..=499` and `400..500` are the client errors, `500..` is every server error. A range whose
/// end is before its start contains no status.
///
/// The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a status nor a range of statuses",
    label = "not a status",
    note = "write a `StatusCode`, such as `StatusCode::NOT_FOUND`, or a range of numbers, such as `400..=499` or `500..`"
)]
pub trait StatusRange: sealed::Sealed {
    #[doc(hidden)]
    fn into_range(self) -> RangeInclusive<u16>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! status_range {
    ($Statuses:ty, $of:expr) => {
        impl sealed::Sealed for $Statuses {}

        impl StatusRange for $Statuses {
            fn into_range(self) -> RangeInclusive<u16> {
                $of(self)
            }
        }
    };
}

status_range!(StatusCode, |status: Self| status.as_u16()..=status.as_u16());
status_range!(u16, |status: Self| status..=status);
status_range!(RangeInclusive<u16>, |range| range);
status_range!(RangeInclusive<StatusCode>, |range: Self| {
    range.start().as_u16()..=range.end().as_u16()
});
status_range!(RangeFrom<u16>, |range: Self| range.start..=u16::MAX);
status_range!(Range<u16>, |range: Self| match range.end {
    // No status is 0, and no other range of it is empty.
    0 => RangeInclusive::new(1, 0),
    end => range.start..=end - 1,
});
