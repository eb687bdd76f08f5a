//! Generates the code of the tests' proto and of the example's proto.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    write(&root.join("tests/grpc/proto"), "items", "../generated.rs")?;
    write(&root.join("examples/grpc"), "shop", "generated.rs")
}

/// Compiles the proto of this name in `folder`, and writes the generated code to `file`.
fn write(folder: &Path, proto: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let files = protox::compile([format!("{proto}.proto")], [folder])?;
    tonic_prost_build::configure()
        .out_dir(folder)
        .compile_fds(files)?;
    fs::rename(folder.join(format!("{proto}.v1.rs")), folder.join(file))?;
    Ok(())
}
