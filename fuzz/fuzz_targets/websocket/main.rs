//! Any bytes of both sides and any end of an application, under a layer and without it.
//!
//! The client gets the same bytes, and after them the one close frame that the end calls for. The
//! application reads the same bytes. tungstenite says where frames end and which are invalid.
#![no_main]

mod client;
mod script;
mod server;

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use tower_exception::CloseCode;
use tower_exception_fuzz::{
    frames::{self, Frames, Verdict},
    panics,
};

use self::{
    script::{CLOSE_TIMEOUT, Client, Ending, Script},
    server::{App, Seen, run_bare, run_guarded},
};

fuzz_target!(|data: &[u8]| {
    panics::allow_expected();
    let script = Arc::new(Script::read(data));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let bare = run_bare(&script).await;
        let guarded = run_guarded(&script).await;
        // The position at which the client goes depends on the order of the tasks.
        if script.client == Client::Vanish {
            return;
        }
        assert_eq!(guarded.app, bare.app, "the application");
        assert_eq!(bare.received, bare.app.written, "without the layer");
        check_received(&script, &guarded);
        check_time(&script, &guarded);
    });
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "tasks are left");
});

fn check_received(script: &Script, seen: &Seen) {
    let written = &seen.app.written;
    let Some(tail) = seen.received.strip_prefix(&written[..]) else {
        panic!("{:?} do not begin with {written:?}", seen.received);
    };
    let expected = expected_tails(script, &seen.app);
    assert!(
        expected.iter().any(|it| it == tail),
        "{tail:?} is none of {expected:?}, {:?} after {:?}",
        script.ending,
        seen.app
    );
}

/// Returns the bytes that may follow those of the application.
fn expected_tails(script: &Script, app: &App) -> Vec<Vec<u8>> {
    if app.is_over || !Frames::of(&app.written).may_close() {
        return vec![Vec::new()];
    }
    frames::verdicts(&app.read)
        .into_iter()
        .map(|verdict| match close_code(script, verdict) {
            Some((code, reason)) => frames::close(code, reason),
            None => Vec::new(),
        })
        .collect()
}

/// Returns the code and the reason of the layer's close frame.
fn close_code(script: &Script, verdict: Verdict) -> Option<(u16, &str)> {
    let of_peer = match verdict {
        Verdict::Valid => None,
        Verdict::Closed(code) => code,
        Verdict::Fault(code) => Some(code),
    };
    let dropped = |code: CloseCode| Some((of_peer.unwrap_or(code.as_u16()), ""));
    match script.ending {
        Ending::CloseAll | Ending::Raise | Ending::RaiseAsync => Some((1008, &script.reason)),
        Ending::RaiseHttp => Some((4404, &script.reason)),
        Ending::Panic => Some((1011, "")),
        Ending::ErrorWebSocket | Ending::DropThenError if script.is_caught => {
            Some((1008, &script.reason))
        }
        Ending::ErrorHttp if script.is_caught => Some((4404, &script.reason)),
        Ending::Error if script.is_caught => match verdict {
            Verdict::Closed(None) => Some((1000, "")),
            _ => Some((of_peer.unwrap_or(1011), "")),
        },
        Ending::Abort if script.is_caught => {
            script.on_drop.and_then(|_| dropped(CloseCode::GOING_AWAY))
        }
        _ => script.on_drop.and_then(dropped),
    }
}

/// Asserts that the connection is held no longer than for the close frame of the client.
fn check_time(script: &Script, seen: &Seen) {
    assert!(seen.closing <= CLOSE_TIMEOUT, "{:?}", seen.closing);
    let has_closed = Frames::of(&seen.received).has_close;
    let sent = Frames::of(&script.sent);
    let client_closes = sent.has_close
        || script.client == Client::ShutDown
        || script.client == Client::Answer && sent.is_at_boundary();
    if !has_closed || client_closes {
        assert_eq!(seen.closing, Duration::ZERO, "{:?}", script.ending);
    }
}
