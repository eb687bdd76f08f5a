//! An error's chain of sources, and the search for a type in it.

use std::{error::Error, io, iter, ptr, sync::Arc};

use super::report;

/// Maximum number of errors in a chain of sources.
///
/// An error whose `source` leads back to itself must not occupy a request forever. Chains of real
/// errors are an order of magnitude shorter.
pub(crate) const MAX_SOURCES: usize = 128;

/// Returns `error`, its source, the source of that source and so on: the outermost error first.
pub(crate) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| source(*error)).take(MAX_SOURCES)
}

/// Returns the error next to `error` in the chain of sources.
pub(crate) fn source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // The `source` of both is the source of the error that they hold, and so skips the held error.
    if let Some(held) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return Some(held);
    }
    if let Some(held) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**held);
    }
    error.source()
}

/// Returns the `E` that `error` is, or that it only wraps: a `Box<E>`, an `Arc<E>`, a report of
/// anyhow or eyre. Sources are not searched.
///
/// A report also holds what was added to it as its context, in one error of an unknown type. The
/// report's own search finds its sources too. Here they come in their turn, after the errors that
/// are further out.
pub(crate) fn find<'a, E>(error: &'a (dyn Error + 'static)) -> Option<&'a E>
where
    E: Error + Send + Sync + 'static,
{
    if let Some(error) = unwrap(error) {
        return Some(error);
    }
    let found: &E = report::downcast_ref(error)?;
    // The first source is the report itself.
    let mut later = sources(error).skip(2).filter_map(|it| it.downcast_ref());
    match later.any(|source| ptr::eq::<E>(source, found)) {
        true => None,
        false => Some(found),
    }
}

/// Returns whether [`find`] finds an `E`.
pub(crate) fn is<E>(error: &(dyn Error + 'static)) -> bool
where
    E: Error + Send + Sync + 'static,
{
    find::<E>(error).is_some()
}

/// Returns the `E` that `error` is or wraps, as [`find`] does, or that is anywhere in a report.
pub(crate) fn downcast_ref<'a, E>(error: &'a (dyn Error + 'static)) -> Option<&'a E>
where
    E: Error + Send + Sync + 'static,
{
    unwrap(error).or_else(|| report::downcast_ref(error))
}

/// Returns the `E` that `error` is, or that it holds in a `Box` or an `Arc`.
fn unwrap<'a, E>(error: &'a (dyn Error + 'static)) -> Option<&'a E>
where
    E: Error + Send + Sync + 'static,
{
    if let Some(error) = error.downcast_ref::<E>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<Box<E>>() {
        return Some(error);
    }
    Some(error.downcast_ref::<Arc<E>>()?)
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::{super::tests::SoldOut, *};

    #[test]
    fn an_io_error_does_not_hide_the_error_that_it_holds() {
        let error = io::Error::other(io::Error::other(SoldOut));
        let found = sources(&error).find_map(|error| error.downcast_ref::<SoldOut>());
        assert_eq!(found.unwrap().to_string(), "sold out");
    }

    #[test]
    fn the_chain_of_a_cyclic_error_ends() {
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
        assert_eq!(sources(&Ouroboros).count(), MAX_SOURCES);
    }

    #[test]
    fn a_type_is_found_in_a_box_and_in_an_arc() {
        let boxed: Box<dyn Error> = Box::new(Box::new(SoldOut));
        let shared: Box<dyn Error> = Box::new(Arc::new(SoldOut));
        let erased: Arc<dyn Error + Send + Sync> = Arc::new(SoldOut);
        let erased: Box<dyn Error> = Box::new(erased);
        for error in [boxed, shared, erased] {
            let found = sources(&*error).find_map(find::<SoldOut>);
            assert_eq!(found.unwrap().to_string(), "sold out");
        }
    }
}
