//! The settings of a layer for the failures that it reports.

#[cfg(feature = "tracing")]
use std::sync::Arc;

use super::{error_type::ErrorTypes, observers::Observers};
#[cfg(feature = "tracing")]
use super::{level::LogAs, limit::LogLimit};
use crate::caught::RequestHead;

/// Everything that a layer does with the failures that it reports.
#[derive(Clone, Default)]
pub(crate) struct Reporting {
    pub(crate) observers: Observers,
    pub(crate) types: ErrorTypes,
    #[cfg(feature = "tracing")]
    pub(crate) log_as: Option<LogAs>,
    #[cfg(feature = "tracing")]
    pub(crate) limit: Option<Arc<LogLimit>>,
}

/// A configured layer that reports a failure, and the request as the layer has received it.
#[derive(Clone, Copy)]
pub(crate) struct ReportContext<'a> {
    pub(crate) request: &'a RequestHead,
    pub(crate) reporting: &'a Reporting,
}
