//! Actions of a person on a tab: mouse, keyboard, reading.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::chromium::Tab;

impl Tab {
    /// Fills in a field.
    pub async fn write(&mut self, field: &str, text: &str) {
        self.click(field).await;
        self.call(
            "field => document.querySelector(field).select()",
            json!([field]),
        )
        .await;
        self.command("Input.insertText", json!({ "text": text }))
            .await;
    }

    pub async fn press_enter(&mut self) {
        for (kind, text) in [("keyDown", "\r"), ("keyUp", "")] {
            let key = json!({
                "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": text
            });
            self.command("Input.dispatchKeyEvent", key).await;
        }
    }

    pub async fn click(&mut self, element: &str) {
        const MIDDLE: &str = "element => {
            const { x, y, width, height } = document.querySelector(element).getBoundingClientRect();
            return { x: x + width / 2, y: y + height / 2 };
        }";
        self.command("Page.bringToFront", json!({})).await;
        let middle = self.call(MIDDLE, json!([element])).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let mouse = json!({
                "type": kind, "x": middle["x"], "y": middle["y"], "button": "left", "clickCount": 1
            });
            self.command("Input.dispatchMouseEvent", mouse).await;
        }
    }

    /// Waits until the page shows all of these texts.
    pub async fn see(&mut self, texts: &[&str]) {
        const SEE: &str = "(...texts) => new Promise((resolve, reject) => {
            const shown = () => document.body.innerText;
            const look = () => texts.every(text => shown().includes(text)) && resolve(true);
            const changes = { subtree: true, childList: true, attributes: true, characterData: true };
            new MutationObserver(look).observe(document.body, changes);
            setTimeout(() => reject(new Error(`not seen: ${texts}\\nbut: ${shown()}`)), 20_000);
            look();
        })";
        assert_eq!(self.call(SEE, json!(texts)).await, Value::Bool(true));
    }

    /// Sets the size of the window and the colors that its reader prefers: `light` or `dark`.
    pub async fn show_as(&mut self, width: u32, height: u32, scheme: &str) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let media = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": media }))
            .await;
    }

    /// Saves a screenshot in `$OUT`, which defaults to `browser` in the target directory. The
    /// extension of its name is its format.
    pub async fn save_screenshot(&mut self, name: &str) {
        let directory = match env::var_os("OUT") {
            Some(directory) => directory.into(),
            None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("browser"),
        };
        fs::create_dir_all(&directory).unwrap();
        let format = name.rsplit('.').next().unwrap();
        let picture = self.screenshot(format).await;
        fs::write(directory.join(name), picture).unwrap();
    }
}
