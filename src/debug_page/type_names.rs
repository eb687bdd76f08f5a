//! Names of the types of errors, as far as they can be found out.
//!
//! An error in a chain of sources has no type that a program could ask for. Well-known types are
//! recognized. Of any other, `Debug` begins with the name of the type or the variant, as a rule.

use std::{
    any::type_name,
    env,
    error::Error,
    fmt::{self, Write},
    io, net, num, str, string, sync, time,
};

use crate::{
    caught::Panic,
    exception::{HttpException, WebSocketException},
    unwind::ignore_panic,
};

/// Longest name that is read, in bytes.
const MAX_NAME_BYTES: usize = 120;

/// Returns the name of the type of an error, or the beginning of its `Debug`. A panic has none.
pub(super) fn type_name_of(error: &(dyn Error + 'static)) -> Option<String> {
    if error.is::<Panic>() {
        // It is no error of the application's.
        return None;
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(format!("std::io::Error ({:?})", error.kind()));
    }
    known(error)
        .map(str::to_owned)
        .or_else(|| debug_name(error))
}

fn known(error: &(dyn Error + 'static)) -> Option<&'static str> {
    /// Returns the name of the first type that the error has.
    macro_rules! name_of {
        ($($error:ty),* $(,)?) => {
            $(if error.is::<$error>() { return Some(type_name::<$error>()); })*
        };
    }
    // Without the private modules.
    if error.is::<HttpException>() {
        return Some("tower_exception::HttpException");
    }
    if error.is::<WebSocketException>() {
        return Some("tower_exception::WebSocketException");
    }
    name_of!(
        env::VarError,
        fmt::Error,
        net::AddrParseError,
        num::ParseFloatError,
        num::ParseIntError,
        num::TryFromIntError,
        str::ParseBoolError,
        str::Utf8Error,
        string::FromUtf8Error,
        sync::mpsc::RecvError,
        time::SystemTimeError,
        http::Error,
        serde_json::Error,
    );
    #[cfg(feature = "hyper")]
    name_of!(hyper::Error);
    #[cfg(feature = "axum")]
    name_of!(axum::Error);
    #[cfg(feature = "tokio")]
    name_of!(tokio::task::JoinError);
    #[cfg(feature = "tonic")]
    name_of!(tonic::Status);
    #[cfg(feature = "tower")]
    name_of!(
        tower::timeout::error::Elapsed,
        tower::load_shed::error::Overloaded
    );
    #[cfg(feature = "websocket")]
    name_of!(tungstenite::Error);
    None
}

/// Reads the name with which `Debug` begins. Nothing after it is read: fields may hold secrets.
fn debug_name(error: &(dyn Error + 'static)) -> Option<String> {
    let mut name = Name(String::new());
    // User code, which fails as soon as the name has ended.
    ignore_panic(|| _ = write!(name, "{error:?}"));
    let Name(name) = name;
    name.starts_with(char::is_alphabetic).then_some(name)
}

/// The beginning of a text, as far as it is a path of Rust.
struct Name(String);

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_name = |char: char| char.is_alphanumeric() || char == '_' || char == ':';
        let end = text.find(|char| !is_name(char)).unwrap_or(text.len());
        if self.0.len() + end > MAX_NAME_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(&text[..end]);
        if end < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "`Debug` shows it")]
    enum AppError {
        Database { password: &'static str },
    }

    impl fmt::Display for AppError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no database")
        }
    }

    impl Error for AppError {}

    #[test]
    fn a_well_known_error_has_its_type() {
        let error = "x".parse::<u8>().unwrap_err();
        assert_eq!(
            type_name_of(&error).unwrap(),
            "core::num::error::ParseIntError"
        );
        let error = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(type_name_of(&error).unwrap(), "std::io::Error (NotFound)");
    }

    #[test]
    fn another_error_has_the_name_of_its_variant_and_no_field() {
        let error = AppError::Database {
            password: "swordfish",
        };
        assert_eq!(type_name_of(&error).unwrap(), "Database");
        let boxed: Box<dyn Error> = "a text".into();
        assert_eq!(type_name_of(&*boxed), None);
    }
}
