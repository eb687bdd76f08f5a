//! The URI of a request, of which a clone of the path is enough for most requests.

use std::sync::OnceLock;

use http::{Uri, uri::PathAndQuery};

/// URI of a request.
///
/// A `Uri` is eleven words, and has a second part to clone and to drop. Over HTTP/1.1 most have no
/// more than a path, of which the `Uri` is made when somebody asks for it.
#[derive(Clone, Default)]
pub(super) struct RequestUri {
    /// The path and the query of a URI that has no other part.
    path: Option<PathAndQuery>,
    whole: OnceLock<Uri>,
}

impl RequestUri {
    /// Clones `uri` into this URI, which is empty.
    #[inline]
    pub(super) fn clone_from(&mut self, uri: &Uri) {
        match (uri.scheme(), uri.authority(), uri.path_and_query()) {
            (None, None, Some(path)) => self.path = Some(path.clone()),
            _ => self.clone_whole(uri),
        }
    }

    #[inline(never)]
    fn clone_whole(&mut self, uri: &Uri) {
        self.whole = uri.clone().into();
    }

    /// Drops the parts, so that the URI is empty.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.path = None;
        if self.whole.get().is_some() {
            self.whole = OnceLock::new();
        }
    }

    pub(super) fn get(&self) -> &Uri {
        let of_path = || self.path.clone().map(Uri::from).unwrap_or_default();
        self.whole.get_or_init(of_path)
    }
}

impl From<Uri> for RequestUri {
    fn from(uri: Uri) -> Self {
        Self {
            path: None,
            whole: uri.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_uri_that_was_cloned() {
        for text in [
            "/",
            "*",
            "/items/2?page=1",
            "//a//b",
            "host:443",
            "http://host:80/items?a=%20",
            "https://host",
        ] {
            let uri: Uri = text.parse().unwrap();
            let mut cloned = RequestUri::default();
            cloned.clone_from(&uri);
            assert_eq!(cloned.clone().get(), &uri);
            assert_eq!(cloned.get(), &uri);
            cloned.clear();
            assert_eq!(cloned.get(), &Uri::default());
        }
    }
}
