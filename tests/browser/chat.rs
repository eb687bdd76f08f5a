//! The chat example, used by two people.

use std::{process, time::Duration};

use tokio::{process::Child, time::timeout};

use crate::{
    chromium::{Chromium, Tab},
    example,
};

#[tokio::test]
async fn the_chat_page_shows_every_close() {
    let (mut server, url) = example::start("chat").await;
    let mut chromium = Chromium::start().await;

    let mut ann = chromium.open(&url).await;
    join(&mut ann, "Ann", "").await;
    ann.see(&["4401", "this room takes a token"]).await;
    ann.save_screenshot("refused.png").await;

    join(&mut ann, "Ann", "plumbus").await;
    ann.see(&["Ann joined"]).await;
    let mut ben = chromium.open(&url).await;
    join(&mut ben, "Ben", "plumbus").await;
    ann.see(&["Ben joined"]).await;
    say(&mut ann, "Hello Ben! How is the <b>weather</b> over there?").await;
    let hello = "Hello Ben! How is the <b>weather</b> over there?";
    ben.see(&["Ann", hello]).await;
    say(&mut ben, "Splendid. And what do you do for money?").await;
    ann.see(&[hello, "Ben", "Splendid"]).await;
    ann.save_screenshot("chat.png").await;

    say(&mut ben, "I am in Crypto, you see").await;
    ben.see(&["1008", "we do not say “Crypto” in here"]).await;
    ben.save_screenshot("thrown-out.png").await;
    ann.see(&["Ben left"]).await;

    join(&mut ben, "Ben", "plumbus").await;
    ben.see(&["Ben joined"]).await;
    terminate(&server);
    for tab in [&mut ann, &mut ben] {
        tab.see(&["1012", "the server restarts"]).await;
    }
    ann.save_screenshot("restart.png").await;
    let ended = timeout(Duration::from_secs(10), server.wait()).await;
    assert!(ended.expect("the server goes on").unwrap().success());
    chromium.close().await;
}

async fn join(tab: &mut Tab, name: &str, token: &str) {
    tab.write("#name", name).await;
    tab.write("#token", token).await;
    tab.click("#join button").await;
}

async fn say(tab: &mut Tab, text: &str) {
    tab.write("#text", text).await;
    tab.press_enter().await;
}

fn terminate(server: &Child) {
    let mut kill = process::Command::new("kill");
    let killed = kill.arg(server.id().unwrap().to_string()).status();
    assert!(killed.unwrap().success());
}
