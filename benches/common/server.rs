//! An axum server on a thread of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};

use axum::Router;
use tokio::{net::TcpListener, runtime};

pub struct Server {
    pub address: SocketAddr,
    /// File in which Linux reports the running time of the server's thread.
    schedstat: Option<PathBuf>,
}

/// Starts the server, which runs until the process ends.
pub fn start(app: Router) -> Server {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let this_thread = fs::read_link("/proc/thread-self").ok();
            let schedstat =
                this_thread.map(|thread| PathBuf::from("/proc").join(thread).join("schedstat"));
            sender.send(Server { address, schedstat }).unwrap();
            let listener = axum::serve::ListenerExt::tap_io(listener, |io| {
                io.set_nodelay(true).unwrap();
            });
            axum::serve(listener, app).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

impl Server {
    /// Returns the running time of the server's thread, if the system reports it.
    pub fn cpu_time(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.schedstat.as_ref()?).ok()?;
        let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }
}
