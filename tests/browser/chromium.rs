//! Headless Chromium, controlled by the DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// Time limit of one step.
const TIME_LIMIT: Duration = Duration::from_secs(30);

pub struct Chromium {
    process: Child,
    profile: PathBuf,
    devtools: SocketAddr,
    browser: Tab,
}

impl Chromium {
    /// Starts a browser for one test. `$CHROMIUM` names the program, which defaults to `chromium`.
    pub async fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let profile = format!("browser-{}-{number}", std::process::id());
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(profile);
        let program = env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
        let mut command = Command::new(program);
        command
            .args(["--headless", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(["--no-first-run", "--disable-gpu", "--window-size=1000,800"])
            // A container may have little shared memory.
            .arg("--disable-dev-shm-usage")
            // No request leaves this machine.
            .args(["--no-proxy-server", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg("about:blank");
        if is_root() {
            command.arg("--no-sandbox");
        }
        let mut process = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`tests/browser/run.sh` installs Chromium");
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = timeout(TIME_LIMIT, async {
            let mut said = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix("DevTools listening on ws://") {
                    return url.to_owned();
                }
                said += &line;
                said += "\n";
            }
            panic!("Chromium did not start:\n{said}");
        })
        .await
        .expect("Chromium is slow to start");
        // Chromium must not block on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (devtools, path) = url.split_once('/').unwrap();
        let devtools = devtools.parse().unwrap();
        Self {
            process,
            profile,
            devtools,
            browser: Tab::connect(devtools, path).await,
        }
    }

    pub async fn open(&mut self, url: &str) -> Tab {
        let target = json!({ "url": "about:blank", "newWindow": true });
        let target = self.browser.command("Target.createTarget", target).await;
        let id = target["targetId"].as_str().unwrap();
        let mut tab = Tab::connect(self.devtools, &format!("devtools/page/{id}")).await;
        tab.navigate(url).await;
        tab
    }

    /// Closes the browser and removes its profile. Without this call the browser is killed, and its
    /// profile stays.
    pub async fn close(mut self) {
        self.browser.command("Browser.close", json!({})).await;
        let ended = timeout(TIME_LIMIT, self.process.wait()).await;
        ended.expect("Chromium does not end").unwrap();
        fs::remove_dir_all(&self.profile).unwrap();
    }
}

/// Returns whether this process runs as root, for whom Chromium has no sandbox.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A page, or the browser itself: a target of commands.
pub struct Tab {
    socket: WebSocketStream<TcpStream>,
    last_id: u64,
}

impl Tab {
    async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/{path}");
        let (socket, _) = client_async(url, stream).await.unwrap();
        Self { socket, last_id: 0 }
    }

    async fn navigate(&mut self, url: &str) {
        self.command("Page.enable", json!({})).await;
        self.send("Page.navigate", json!({ "url": url })).await;
        let loaded = async {
            loop {
                let message = self.receive().await;
                assert_eq!(message["result"]["errorText"], Value::Null, "{url}");
                if message["method"] == "Page.loadEventFired" {
                    break;
                }
            }
        };
        timeout(TIME_LIMIT, loaded)
            .await
            .expect("the page does not load");
    }

    /// Calls a JavaScript function with these arguments. Returns its result, or the result of its
    /// promise.
    pub async fn call(&mut self, function: &str, arguments: Value) -> Value {
        let expression = format!("({function})(...{arguments})");
        let mut evaluated = self
            .command(
                "Runtime.evaluate",
                json!({ "expression": expression, "awaitPromise": true, "returnByValue": true }),
            )
            .await;
        assert_eq!(
            evaluated["exceptionDetails"],
            Value::Null,
            "{expression}: {evaluated:#}"
        );
        evaluated["result"]["value"].take()
    }

    /// Returns a picture of the tab in this format: `png` or `webp`.
    pub async fn screenshot(&mut self, format: &str) -> Vec<u8> {
        let parameters = json!({ "format": format });
        let screenshot = self.command("Page.captureScreenshot", parameters).await;
        BASE64.decode(screenshot["data"].as_str().unwrap()).unwrap()
    }

    pub async fn command(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send(method, parameters.clone()).await;
        let response = async {
            loop {
                let mut message = self.receive().await;
                if message["id"] == id {
                    assert_eq!(message["error"], Value::Null, "{method} {parameters}");
                    return message["result"].take();
                }
            }
        };
        let response = timeout(TIME_LIMIT, response).await;
        response.unwrap_or_else(|_| panic!("no response to {method} {parameters}"))
    }

    async fn send(&mut self, method: &str, parameters: Value) -> u64 {
        self.last_id += 1;
        let command = json!({ "id": self.last_id, "method": method, "params": parameters });
        let message = Message::text(command.to_string());
        self.socket.send(message).await.unwrap();
        self.last_id
    }

    /// Receives the response to a command, or an event.
    async fn receive(&mut self) -> Value {
        loop {
            let message = self
                .socket
                .next()
                .await
                .expect("the connection is closed")
                .unwrap();
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}
