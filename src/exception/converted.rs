//! Marks of an exception that is a conversion of a `tonic::Status`.

use super::http::HttpException;
use crate::error::BoxError;

impl HttpException {
    /// Sets the source to the value of which the exception is a conversion.
    pub(crate) fn converted_from(self, source: impl Into<BoxError>) -> Self {
        let mut exception = self.with_source(source);
        exception.0.kind.is_converted = true;
        exception
    }

    /// Returns whether the source is the value of which the exception is a conversion.
    pub(crate) fn is_converted(&self) -> bool {
        self.0.kind.is_converted
    }

    /// Marks everything that was set in addition to the detail as that of the converted value.
    /// `domain` is that of the code.
    pub(crate) fn mark_supplement(&mut self, domain: Option<Box<str>>) {
        if let Some(supplement) = &mut self.0.kind.supplement {
            supplement.domain = domain;
            supplement.is_converted = true;
        }
    }
}
