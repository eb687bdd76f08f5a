//! The rejections of axum's extractors, for a failure to which no handler replies.

use std::error::Error;

use axum::extract::rejection::{
    BytesRejection, ExtensionRejection, FormRejection, JsonRejection, PathRejection,
    QueryRejection, RawFormRejection, StringRejection,
};

use crate::{
    error::find,
    exception::{HttpException, Rejection},
};

/// Returns the exception that stands for a rejection: its status, and its faults or its text if the
/// rejection is the failure itself.
///
/// The text of a 4xx is made for the client. That of a 5xx names types of the server. An error that
/// has a rejection as its source says nothing to the client.
pub(super) fn exception_for(
    error: &(dyn Error + 'static),
    is_outermost: bool,
) -> Option<HttpException> {
    let exception = rejected(error)?;
    Some(match is_outermost {
        true => exception,
        false => HttpException::new(exception.status()),
    })
}

fn rejected(error: &(dyn Error + 'static)) -> Option<HttpException> {
    macro_rules! find_rejection {
        ($($Rejection:ty),*) => {
            $(if let Some(rejection) = find::<$Rejection>(error) {
                return Some(rejection.exception());
            })*
        };
    }
    find_rejection!(
        JsonRejection,
        PathRejection,
        QueryRejection,
        FormRejection,
        RawFormRejection,
        BytesRejection,
        StringRejection,
        ExtensionRejection
    );
    None
}
