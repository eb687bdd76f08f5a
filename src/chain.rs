//! An error and its sources.

use std::{error::Error, io, iter};

/// An error whose `source` leads back to itself must not keep a request forever.
const LONGEST: usize = 128;

/// `error`, its source, that one's source and so on: the outermost first.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| inner(*error)).take(LONGEST)
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // An `io::Error` gives the source of the error that it holds, and so passes over that one.
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(held) => Some(held),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpException;
    use std::fmt;

    #[test]
    fn an_io_error_does_not_hide_the_error_that_it_holds() {
        let error = io::Error::other(io::Error::other(HttpException::gone("sold out")));
        let found = chain(&error).find_map(|error| error.downcast_ref::<HttpException>());
        assert_eq!(found.unwrap().to_string(), "410: sold out");
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        #[derive(Debug)]
        struct Ouroboros;
        impl fmt::Display for Ouroboros {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }
        impl Error for Ouroboros {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(chain(&Ouroboros).count(), LONGEST);
    }
}
