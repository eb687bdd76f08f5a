//! An app that only the tests write: this file is empty, because a package needs one.
