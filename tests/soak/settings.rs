//! Settings of a run, from the environment.

use std::{
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Open files of the process in addition to those of the connections.
const OTHER_FILES: u64 = 200;

/// Open files of one connection: the client's and the server's are in this process.
const FILES_PER_CONNECTION: u64 = 2;

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub duration: Duration,
    pub connections: u64,
    pub seed: u64,
}

impl Settings {
    /// Reads the settings, with no more connections than the process may have open.
    pub fn from_env() -> Self {
        let seconds = variable("SOAK_SECONDS");
        let connections = match (variable("SOAK_CONNECTIONS"), seconds) {
            (Some(connections), _) => connections,
            (None, Some(_)) => 2000,
            (None, None) => 200,
        };
        let files = connections * FILES_PER_CONNECTION + OTHER_FILES;
        let files = rlimit::increase_nofile_limit(files).unwrap();
        assert!(files > OTHER_FILES, "only {files} files may be open");
        Self {
            duration: Duration::from_secs(seconds.unwrap_or(5)),
            connections: connections.min((files - OTHER_FILES) / FILES_PER_CONNECTION),
            seed: variable("SOAK_SEED").unwrap_or_else(|| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                u64::from(now.subsec_nanos())
            }),
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}
