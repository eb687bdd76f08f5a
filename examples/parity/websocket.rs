//! WebSocket sessions that every stack serves.

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use http::{
    StatusCode, Uri,
    header::{HeaderName, HeaderValue},
};
use serde::Deserialize;
use tower::BoxError;
use tower_exception::{CloseCode, HttpException, InvalidCloseCode, WebSocketException};

use super::shared::{Via, query, secret, unprocessable};

/// The query of `/ws/before` and of `/ws/after`.
#[derive(Deserialize)]
struct Wanted {
    code: u16,
    #[serde(default)]
    reason: String,
    /// Number of text messages that are echoed first.
    #[serde(default)]
    echo: usize,
}

/// Returns the exception of `/ws/before`. An axum handler cannot return any other error, so a code
/// that cannot be sent is a panic, as with `unwrap`.
pub fn refusal(uri: &Uri) -> Result<WebSocketException, HttpException> {
    let exception = query::<Wanted>(uri)?.exception();
    Ok(exception.unwrap_or_else(|error| panic!("{error}")))
}

impl Wanted {
    fn exception(self) -> Result<WebSocketException, InvalidCloseCode> {
        Ok(WebSocketException::new(CloseCode::from_u16(self.code)?).with_reason(self.reason))
    }
}

/// Returns the exception of `/ws/http-before`, or a 422 if its query is invalid.
pub fn denial(uri: &Uri) -> HttpException {
    #[derive(Deserialize)]
    struct Wanted {
        status: u16,
        detail: Option<String>,
    }
    let build = || {
        let wanted: Wanted = query(uri)?;
        let status =
            StatusCode::from_u16(wanted.status).map_err(|error| unprocessable("status", error))?;
        let exception = HttpException::new(status).with_header(
            HeaderName::from_static("x-denied"),
            HeaderValue::from_static("yes"),
        );
        Ok(match wanted.detail {
            Some(detail) => exception.with_detail(detail),
            None => exception,
        })
    };
    build().unwrap_or_else(|problem: HttpException| problem)
}

/// Some echoes and the failure that ends them.
pub struct Session {
    echo: usize,
    end: Result<WebSocketException, BoxError>,
}

impl Session {
    /// Returns the session of `/ws/after`.
    pub fn of(uri: &Uri) -> Result<Self, HttpException> {
        let wanted: Wanted = query(uri)?;
        Ok(Self {
            echo: wanted.echo,
            end: wanted.exception().map_err(BoxError::from),
        })
    }

    /// Returns the session of `/ws/error-after`.
    pub fn failing() -> Self {
        Self {
            echo: 0,
            end: Err(secret().into()),
        }
    }

    /// Plays the session in a callback whose failures the layer's handle catches.
    pub async fn play<S, M, E>(
        self,
        via: Via,
        mut socket: S,
        is_text: fn(&M) -> bool,
    ) -> tower_exception::Result<()>
    where
        S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
        E: Into<BoxError> + 'static,
    {
        echo(&mut socket, self.echo, is_text).await?;
        // No response is left to attach the exception to.
        Err(via.raise_or_return(self.end?).await.into())
    }

    /// Plays the session in a task of which the layer sees only the socket.
    pub async fn play_alone<S, M, E>(self, mut socket: S, is_text: fn(&M) -> bool)
    where
        S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    {
        // If the socket fails, no client is left to receive a close frame.
        if echo(&mut socket, self.echo, is_text).await.is_ok() {
            match self.end {
                Ok(exception) => exception.raise(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Echoes `texts` text messages, or fewer if the client closes first.
async fn echo<S, M, E>(socket: &mut S, texts: usize, is_text: fn(&M) -> bool) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    let mut left = texts;
    while left > 0 {
        match socket.next().await.transpose()? {
            Some(message) if is_text(&message) => socket.send(message).await?,
            Some(_) => continue,
            None => break,
        }
        left -= 1;
    }
    Ok(())
}
