//! One run: a server on a runtime of its own, its clients, and the accounts at the end.

use std::{
    net::SocketAddr,
    panic,
    sync::{Arc, Mutex, Once, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
    task::JoinSet,
};
use tower_exception::WebSockets;

use crate::{
    app::PANIC,
    client::{Target, visit},
    ledger::LEDGER,
    log,
    random::Random,
    resources::Resources,
    settings::Settings,
    stacks::service,
    support::{Server, panic_hook_runs},
};

/// The server's runtime.
#[derive(Clone, Copy, Debug)]
pub enum Flavour {
    MultiThread,
    CurrentThread,
}

impl Flavour {
    fn runtime(self) -> Runtime {
        let mut builder = match self {
            Self::MultiThread => Builder::new_multi_thread(),
            Self::CurrentThread => Builder::new_current_thread(),
        };
        builder.worker_threads(2).enable_all().build().unwrap()
    }
}

/// Visits of each client before the start is measured. The tables that grow with the number of
/// connections have their size then.
const WARM_UP_VISITS: u64 = 2;

/// Runs a server and its clients, and panics with all faults.
pub fn soak(flavour: Flavour) {
    // Both tests count the resources of the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = Settings::from_env();
    log::start();
    silence_panics();

    let server = ServerThread::start(flavour);
    let clients = Flavour::MultiThread.runtime();
    let runtimes = [&server.runtime, clients.handle()];
    let idle = Resources {
        bytes: usize::MAX,
        ..Resources::now(runtimes)
    };
    let crowd = Crowd {
        target: Arc::new(Target::new(server.address, settings.connections)),
        settings,
        clients: &clients,
    };

    crowd.visit_for(WARM_UP_VISITS, Duration::ZERO);
    Resources::back_to(&idle, runtimes);
    let warm_up = LEDGER.end_round();
    let start = Resources::back_to(&idle, runtimes);

    crowd.visit_for(0, settings.duration);
    Resources::back_to(&idle, runtimes);
    let round = LEDGER.end_round();
    let end = Resources::back_to(&start, runtimes);

    let websockets = server.websockets.count();
    let panics = server.stop();
    println!("{flavour:?}: {settings:?}\n  {round}\n  start: {start}\n  end:   {end}");

    let mut faults = warm_up.faults.shown;
    faults.extend(round.faults.shown);
    let count = warm_up.faults.count + round.faults.count;
    for (is_fault, fault) in [
        (
            !start.is_back_to(&idle),
            format!("not idle after the first visits: {start}"),
        ),
        (
            !end.is_back_to(&start),
            format!("start: {start}, end: {end}"),
        ),
        (websockets > 0, format!("{websockets} WebSockets are open")),
        (panics > 0, format!("{panics} panics got past the layer")),
    ] {
        faults.extend(is_fault.then_some(fault));
    }
    let text = faults.join("\n");
    assert!(
        faults.is_empty(),
        "{count} faults in requests, {settings:?}\n{text}"
    );
}

/// The clients.
struct Crowd<'a> {
    target: Arc<Target>,
    settings: Settings,
    clients: &'a Runtime,
}

impl Crowd<'_> {
    /// Lets each client visit the server as often as `least`, and for as long as `duration`.
    fn visit_for(&self, least: u64, duration: Duration) {
        let end = Instant::now() + duration;
        self.clients.block_on(async {
            let mut clients = JoinSet::new();
            for client in 0..self.settings.connections {
                let target = Arc::clone(&self.target);
                let mut random = Random::new(self.settings.seed.wrapping_add(client << 32));
                clients.spawn(async move {
                    let mut visits = 0;
                    while visits < least || Instant::now() < end {
                        visit(&target, &mut random).await;
                        visits += 1;
                    }
                });
            }
            while let Some(client) = clients.join_next().await {
                if let Err(error) = client {
                    LEDGER.fault(format!("a client has failed: {error}"));
                }
            }
        });
    }
}

/// A server on a thread of its own, which drives its runtime.
struct ServerThread {
    address: SocketAddr,
    runtime: Handle,
    websockets: WebSockets,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<usize>,
}

impl ServerThread {
    fn start(flavour: Flavour) -> Self {
        let websockets = WebSockets::new().close_timeout(CLOSE_TIMEOUT);
        let service = service(&websockets);
        let runtime = flavour.runtime();
        let handle = runtime.handle().clone();
        let (sender, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let server = Server::start(service).await;
                sender.send(server.address()).unwrap();
                // The sender is dropped if the test has failed.
                let _ = stopped.await;
                server.panics()
            })
        });
        Self {
            address: started.recv().unwrap(),
            runtime: handle,
            websockets,
            stop,
            thread,
        }
    }

    /// Stops the server, and returns the number of panics that ended a connection or a stream.
    fn stop(self) -> usize {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

/// Timeout of the closing handshake: longer than a client needs on a busy machine.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Installs a panic hook that does not print the panics of requests.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The harness has a hook too, which it installs once.
        panic_hook_runs();
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>();
            if !text.is_some_and(|text| text.starts_with(PANIC)) {
                print(info);
            }
        }));
    });
}
