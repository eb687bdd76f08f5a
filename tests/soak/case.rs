//! A request: the layers that it passes, the way in which it fails, and its mark.

use std::{fmt::Debug, ops::RangeInclusive};

use crate::{
    mark::{ids, mark},
    random::Random,
};

/// The layers around the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    Unconfigured,
    Configured,
    UnconfiguredInConfigured,
    ConfiguredInUnconfigured,
    ConfiguredInConfigured,
}

pub const STACKS: [Stack; 5] = [
    Stack::Unconfigured,
    Stack::Configured,
    Stack::UnconfiguredInConfigured,
    Stack::ConfiguredInUnconfigured,
    Stack::ConfiguredInConfigured,
];

impl Stack {
    /// Returns the number of configured layers.
    pub fn configured(self) -> usize {
        match self {
            Self::Unconfigured => 0,
            Self::ConfiguredInConfigured => 2,
            _ => 1,
        }
    }
}

/// The way in which a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    // Over HTTP. The first one does not fail.
    Fine,
    Returned,
    Attached,
    RaisedInCall,
    Raised,
    RaisedAsync,
    Panicked,
    Adopted,
    Handled,
    HandledLate,
    BodyError,
    BodyRaised,
    BodyRaisedAsync,
    BodyPanicked,
    Grpc,
    GrpcRaised,
    GrpcStream,
    GrpcStreamRaised,
    // Of a WebSocket, before its handshake is answered.
    BeforeReturned,
    BeforeAttached,
    BeforeRaised,
    BeforeRaisedAsync,
    BeforeHttp,
    BeforePanicked,
    // Of a WebSocket, after its handshake, with a `catch`. The first one does not fail.
    Polite,
    CaughtReturned,
    CaughtRaised,
    CaughtRaisedAsync,
    CaughtHttp,
    CaughtError,
    CaughtPanicked,
    // Of a WebSocket, after its handshake, without a `catch`. The first one does not fail.
    BareDropped,
    BareRaised,
    BareRaisedAsync,
    BarePanicked,
}

/// Kinds over HTTP.
#[rustfmt::skip]
pub const HTTP: [Kind; 18] = [
    Kind::Fine, Kind::Returned, Kind::Attached, Kind::RaisedInCall, Kind::Raised,
    Kind::RaisedAsync, Kind::Panicked, Kind::Adopted, Kind::Handled, Kind::HandledLate,
    Kind::BodyError, Kind::BodyRaised, Kind::BodyRaisedAsync, Kind::BodyPanicked, Kind::Grpc,
    Kind::GrpcRaised, Kind::GrpcStream, Kind::GrpcStreamRaised,
];

/// Kinds of a WebSocket.
#[rustfmt::skip]
pub const WEBSOCKET: [Kind; 17] = [
    Kind::BeforeReturned, Kind::BeforeAttached, Kind::BeforeRaised, Kind::BeforeRaisedAsync,
    Kind::BeforeHttp, Kind::BeforePanicked, Kind::Polite, Kind::CaughtReturned, Kind::CaughtRaised,
    Kind::CaughtRaisedAsync, Kind::CaughtHttp, Kind::CaughtError, Kind::CaughtPanicked,
    Kind::BareDropped, Kind::BareRaised, Kind::BareRaisedAsync, Kind::BarePanicked,
];

impl Kind {
    pub fn is_websocket(self) -> bool {
        WEBSOCKET.contains(&self)
    }

    pub fn is_grpc(self) -> bool {
        matches!(
            self,
            Self::Grpc | Self::GrpcRaised | Self::GrpcStream | Self::GrpcStreamRaised
        )
    }

    /// Returns whether the body of an HTTP response ends with an error.
    pub fn is_cut_short(self) -> bool {
        matches!(
            self,
            Self::BodyError | Self::BodyRaised | Self::BodyRaisedAsync | Self::BodyPanicked
        )
    }

    /// Returns whether the failure comes after the head of a gRPC response.
    pub fn is_grpc_stream(self) -> bool {
        matches!(self, Self::GrpcStream | Self::GrpcStreamRaised)
    }

    /// Returns whether the server waits for a message before the WebSocket fails.
    pub fn is_after_handshake(self) -> bool {
        WEBSOCKET[6..].contains(&self)
    }

    /// Returns whether a handler replies to the failure, if a layer is configured.
    pub fn is_handled(self) -> bool {
        matches!(self, Self::Handled | Self::HandledLate)
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub id: u64,
    pub stack: Stack,
    pub kind: Kind,
    /// Milliseconds before the failure.
    pub delay: u64,
}

impl Case {
    /// Makes a request of one of `kinds`, through one of `stacks`.
    pub fn random(random: &mut Random, id: u64, stacks: &[Stack], kinds: &[Kind]) -> Self {
        Self {
            id,
            stack: random.one_of(stacks),
            kind: random.one_of(kinds),
            // Half of the requests fail in the first poll.
            delay: random.below(2) * random.below(8),
        }
    }

    pub fn mark(&self) -> String {
        mark(self.id)
    }

    pub fn path(&self) -> String {
        let Self {
            stack, kind, delay, ..
        } = self;
        format!("/{stack:?}/{kind:?}/{}/{delay}", self.mark())
    }

    /// Returns the request with this path.
    pub fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1);
        Some(Self {
            stack: named(STACKS, parts.next()?)?,
            kind: named(HTTP.into_iter().chain(WEBSOCKET), parts.next()?)?,
            id: ids(parts.next()?).next()?,
            delay: parts.next()?.parse().ok()?,
        })
    }

    /// Returns whether a layer sees a failure.
    pub fn fails(&self) -> bool {
        match self.kind {
            Kind::Fine | Kind::Polite | Kind::BareDropped => false,
            // The response of a service that has no layer to adopt it.
            Kind::Adopted => self.stack != Stack::Unconfigured,
            _ => true,
        }
    }

    /// Returns the number of layers whose observers receive the failure, each once.
    pub fn reporting_layers(&self) -> RangeInclusive<usize> {
        let configured = match self.fails() {
            true => self.stack.configured(),
            false => 0,
        };
        let kind = self.kind;
        let least = match self.stack {
            // The inner layer ends the stream with a status. For the outer one nothing has failed.
            Stack::UnconfiguredInConfigured if kind.is_grpc_stream() => 0,
            // The inner layer's response is final.
            _ if kind.is_websocket() || kind.is_handled() || kind.is_grpc_stream() => {
                configured.min(1)
            }
            _ => configured,
        };
        least..=configured
    }
}

fn named<T: Debug>(choices: impl IntoIterator<Item = T>, name: &str) -> Option<T> {
    let mut choices = choices.into_iter();
    choices.find(|choice| format!("{choice:?}") == name)
}
