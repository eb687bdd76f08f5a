//! Errors to be caught, and the secrets in their texts.

use std::{error::Error, fmt};

pub use tower::BoxError;

/// A text that no client may ever receive. Every response is searched for it.
pub const SECRET: &str = "hunter2";

/// A text that contains [`SECRET`].
pub const SECRET_TEXT: &str = "the password is hunter2";

/// An error whose text is not meant for the client.
#[derive(Debug)]
pub struct SecretError;

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_TEXT)
    }
}

impl Error for SecretError {}

/// Defines error types with an optional source.
macro_rules! errors {
    ($($name:ident)*) => { $(
        #[derive(Debug, Default)]
        pub struct $name(pub Option<BoxError>);

        impl $name {
            pub fn of(source: impl Into<BoxError>) -> Self {
                Self(Some(source.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), " with a secret"))
            }
        }

        impl Error for $name {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                match &self.0 {
                    Some(source) => Some(&**source),
                    None => None,
                }
            }
        }
    )* };
}

errors! { Inner Outer Other }
