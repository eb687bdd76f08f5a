//! Configuration of the layer: adoption of plain error responses.

use std::time::Duration;

use super::ExceptionLayer;
use crate::{
    adopt::Adoption,
    exchange::{Configured, LayerConfig},
};

/// Adoption of plain error responses. Each method switches it on.
impl<C: LayerConfig> ExceptionLayer<C> {
    /// Takes plain error responses as exceptions: a router's 404, an extractor's rejection.
    ///
    /// A response is adopted if it has an error status (4xx or 5xx), carries no exception, and has
    /// a plain text for a body, or none. The exception has the response's status, its text as the
    /// detail, and its headers except those that describe the old body. So axum's own errors
    /// become `{"detail": ...}`, and handlers apply to them. The [guide](crate::handler) says in
    /// full which responses are adopted; any other response passes byte for byte.
    ///
    /// The text of a 5xx may name what only the server knows. It becomes the
    /// [`origin`](crate::HttpException::origin) of the exception, for observers and the log, and the detail
    /// is the status's reason ([`adopt_server_error_texts`](Self::adopt_server_error_texts) shows
    /// the text).
    ///
    /// The head of an error response waits until the text has been read, at most 5 seconds
    /// ([`adopt_error_responses_within`](Self::adopt_error_responses_within)) and 64 KiB
    /// ([`adopt_error_responses_up_to`](Self::adopt_error_responses_up_to)).
    ///
    /// ```
    /// use tower_exception::ExceptionLayer;
    ///
    /// let app: axum::Router = axum::Router::new()
    ///     .layer(ExceptionLayer::new().adopt_error_responses());
    /// // GET /nowhere  ->  404 {"detail":"Not Found"}
    /// ```
    pub fn adopt_error_responses(self) -> ExceptionLayer<Configured> {
        self.adopt(|_| {})
    }

    /// [Takes plain error responses as exceptions](Self::adopt_error_responses) if their text has
    /// at most `limit` bytes. Defaults to 64 KiB.
    ///
    /// ```
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().adopt_error_responses_up_to(1024);
    /// ```
    pub fn adopt_error_responses_up_to(self, limit: usize) -> ExceptionLayer<Configured> {
        self.adopt(|adoption| adoption.max_text_bytes = limit)
    }

    /// [Takes plain error responses as exceptions](Self::adopt_error_responses) if their text has
    /// been read within this time. Defaults to 5 seconds.
    ///
    /// After that time the response is sent as it is, and the rest of the body follows. With
    /// [`Duration::ZERO`] only a text that is ready at once is adopted.
    ///
    /// The time limit needs a timer of tokio, and so one of the features `axum`, `tower` and
    /// `websocket`. Without them the clock is read only when the body continues, and a body that
    /// stays silent is waited for. Outside of a tokio runtime, and in one without timers, there is
    /// no time limit except zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().adopt_error_responses_within(Duration::from_millis(500));
    /// ```
    pub fn adopt_error_responses_within(self, limit: Duration) -> ExceptionLayer<Configured> {
        self.adopt(|adoption| adoption.within = limit)
    }

    /// [Takes plain error responses as exceptions](Self::adopt_error_responses), and shows the text
    /// of a 5xx to the client. By default only the log and observers receive it.
    ///
    /// ```
    /// use tower_exception::ExceptionLayer;
    ///
    /// let layer = ExceptionLayer::new().adopt_server_error_texts();
    /// ```
    pub fn adopt_server_error_texts(self) -> ExceptionLayer<Configured> {
        self.adopt(|adoption| adoption.shows_server_errors = true)
    }

    fn adopt(self, change: impl FnOnce(&mut Adoption)) -> ExceptionLayer<Configured> {
        self.configure(|handling| change(handling.adoption.get_or_insert_default()))
    }
}
