//! The types of replies that cannot say a status, with the feature `axum`.

use std::{any::type_name, borrow::Cow};

use axum::{Json, response::Html};
use bytes::{Bytes, BytesMut};

/// Part of a response that a type decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Neither a status nor a body: `()`.
    Nothing,
    /// A body alone: a text, bytes, `Json`, `Html`.
    Body,
    /// Everything, or so it may be.
    Status,
}

/// Returns the part of a response that a `T` decides on, or the value of a `T` that is a `Result`.
///
/// axum gives the first two the status 200. Nothing in the response distinguishes it from that of
/// `(StatusCode::OK, ..)`, and no trait does. The types are distinguished by their names. Those are
/// compared with the names of the same types, so that no name is written here. If the compiler ever
/// changed the form `Json<..>`, such a reply would have the status 200 again.
pub(super) fn said_by<T>() -> Says {
    let name = type_name::<T>();
    let result = type_name::<Result<(), ()>>().trim_end_matches("(), ()>");
    let name = name.strip_prefix(result).unwrap_or(name);
    let is = |other: &str| {
        let rest = name.strip_prefix(other);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
    };
    let is_generic = |of_unit: &str| name.starts_with(of_unit.trim_end_matches("()>"));
    let bodies = [
        type_name::<&str>(),
        type_name::<String>(),
        type_name::<Box<str>>(),
        type_name::<Cow<'_, str>>(),
        type_name::<&[u8]>(),
        type_name::<Vec<u8>>(),
        type_name::<Cow<'_, [u8]>>(),
        type_name::<Bytes>(),
        type_name::<BytesMut>(),
    ];
    if is(type_name::<()>()) {
        Says::Nothing
    } else if is_generic(type_name::<Json<()>>())
        || is_generic(type_name::<Html<()>>())
        || bodies.into_iter().any(is)
    {
        Says::Body
    } else {
        Says::Status
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::response::Response;
    use http::StatusCode;

    use super::*;
    use crate::exception::HttpException;

    #[test]
    fn a_body_alone_says_no_status() {
        for said in [
            said_by::<&str>(),
            said_by::<String>(),
            said_by::<Vec<u8>>(),
            said_by::<Html<&str>>(),
            said_by::<Json<HashMap<String, u8>>>(),
            said_by::<Result<Json<HashMap<String, u8>>, HttpException>>(),
            said_by::<Result<String, HttpException>>(),
        ] {
            assert_eq!(said, Says::Body);
        }
    }

    #[test]
    fn nothing_says_nothing() {
        assert_eq!(said_by::<()>(), Says::Nothing);
        assert_eq!(said_by::<Result<(), HttpException>>(), Says::Nothing);
    }

    #[test]
    fn anything_else_may_say_a_status() {
        for said in [
            said_by::<(StatusCode, &str)>(),
            said_by::<(StatusCode, Json<()>)>(),
            said_by::<((), &str)>(),
            said_by::<Response>(),
            said_by::<Result<StatusCode, String>>(),
            said_by::<Result<(StatusCode, String), ()>>(),
            said_by::<Result<Response, Json<()>>>(),
        ] {
            assert_eq!(said, Says::Status);
        }
    }
}
