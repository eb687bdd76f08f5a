//! The rejections of axum's extractors, for a failure to which no handler replies.

use std::error::Error;

use axum::extract::rejection::{
    BytesRejection, ExtensionRejection, FormRejection, JsonRejection, PathRejection,
    QueryRejection, RawFormRejection, StringRejection,
};

use crate::{error::find, exception::HttpException};

/// Returns the exception that stands for a rejection: its status, and its text if the rejection is
/// the failure itself.
///
/// The text of a 4xx is made for the client. That of a 5xx names types of the server. An error that
/// has a rejection as its source says nothing to the client.
pub(super) fn exception_for(
    error: &(dyn Error + 'static),
    is_outermost: bool,
) -> Option<HttpException> {
    macro_rules! find_rejection {
        ($($Rejection:ty),*) => {
            $(if let Some(rejection) = find::<$Rejection>(error) {
                let exception = HttpException::new(rejection.status());
                return Some(match is_outermost && rejection.status().is_client_error() {
                    true => exception.with_detail(rejection.body_text()),
                    false => exception,
                });
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
