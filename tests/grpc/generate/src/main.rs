//! Generates the code of the tests' protos and of the example's proto.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    write(
        &root.join("tests/grpc/proto/items.proto"),
        "items.v1",
        "../generated.rs",
    )?;
    write(
        &root.join("tests/conformance/proto/testing.proto"),
        "grpc.testing",
        "../generated.rs",
    )?;
    write(
        &root.join("examples/grpc/shop.proto"),
        "shop.v1",
        "generated.rs",
    )
}

/// Compiles a proto, which has this package, and writes the code to `file` in a folder relative to
/// the proto's.
fn write(proto: &Path, package: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let folder = proto.parent().ok_or("a proto is in a folder")?;
    let files = protox::compile([proto], [folder])?;
    tonic_prost_build::configure()
        .out_dir(folder)
        .compile_fds(files)?;
    fs::rename(folder.join(format!("{package}.rs")), folder.join(file))?;
    Ok(())
}
