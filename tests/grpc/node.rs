//! connect-web's client in Node.

use tokio::process::Command;

use crate::server::{Shop, Side, serve};

#[tokio::test]
#[ignore = "needs Node and its packages: run tests/grpc-web/run.sh"]
async fn connect_web() {
    for side in [Side::Outside, Side::Inside] {
        let server = serve(Shop::default(), side).await;
        let status = Command::new("node")
            .args(["--test", "client_test.js"])
            .current_dir("tests/grpc-web")
            .env("SERVER", format!("http://{}", server.address()))
            .kill_on_drop(true)
            .status()
            .await
            .unwrap();
        assert!(status.success(), "{side:?} of `GrpcWebLayer`: {status}");
        assert_eq!(server.panics(), 0);
    }
}
