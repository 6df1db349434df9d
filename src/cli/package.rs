//! `lakehand package`: the functions' zip from a built binary.

use std::{fs, path::PathBuf};

use clap::Args;

use super::{CliError, Ended, OutputFormat, VerbResult, print_as};
use crate::platform::deployment::{Architecture, Package, PackageError, Wanted};

/// How the functions' binary is built: for musl, so that it is static and wants nothing of Lambda's system.
const BUILD: &str = "cargo zigbuild --profile lambda --target aarch64-unknown-linux-musl -p lakehand --no-default-features --features lambda --bin lakehand-lambda (README, AWS)";
/// Where the build leaves the functions' binary, newest target first.
const BUILT: [&str; 5] = [
    "target/aarch64-unknown-linux-musl/lambda/lakehand-lambda",
    "target/aarch64-unknown-linux-gnu/lambda/lakehand-lambda",
    "target/x86_64-unknown-linux-musl/lambda/lakehand-lambda",
    "target/x86_64-unknown-linux-gnu/lambda/lakehand-lambda",
    "target/lambda/lakehand-lambda",
];

/// `lakehand package`
#[derive(Debug, Args)]
pub struct PackageArgs {
    /// The built `lakehand-lambda`; without it the first that lies below target/.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the zip goes.
    #[arg(long, value_name = "FILE", default_value = "lakehand-lambda.zip")]
    out: PathBuf,
    /// Refuse a program for another processor: arm64 or x86_64.
    #[arg(long, value_name = "NAME")]
    architecture: Option<Architecture>,
    /// Also take a program that wants another C library than Lambda has, for an emulator on this machine.
    #[arg(long)]
    any_libc: bool,
}

/// Packs, and says what was packed.
///
/// # Errors
/// When the program is none that Lambda starts, or a file fails.
pub fn run(args: &PackageArgs, output: OutputFormat) -> VerbResult {
    let built = || BUILT.iter().map(PathBuf::from).find(|path| path.is_file());
    let binary = args.binary.clone().or_else(built).ok_or_else(|| {
        CliError::not_found(
            "there is no built lakehand-lambda below target/",
            format!("build it: {BUILD}; or name it with --binary"),
        )
    })?;
    let refused = |error: PackageError| {
        let advice = match error {
            PackageError::NotOnLambda(_) => {
                format!(
                    "build it for musl: {BUILD}; for an emulator on this machine add --any-libc"
                )
            }
            _ => "give the lakehand-lambda that was built for Lambda's Linux and processor".into(),
        };
        let what = format!("could not package {}: {error}", binary.display());
        CliError::usage(what, advice)
    };
    let program = fs::read(&binary).map_err(|error| refused(error.into()))?;
    let wanted = Wanted {
        architecture: args.architecture,
        any_libc: args.any_libc,
    };
    let package = Package::of_program(&program, wanted).map_err(refused)?;
    fs::write(&args.out, &package.bytes).map_err(|error| {
        CliError::platform(
            format!("could not write {}: {error}", args.out.display()),
            "check the folder and the disk",
        )
    })?;
    let architecture = package.program.architecture.name();
    let linkage = package.program.linkage.to_string();
    let value = serde_json::json!({
        "file": args.out, "binary": binary, "architecture": architecture, "linked_to": linkage, "bytes": package.bytes.len(),
        "unpacked_bytes": program.len(), "sha256": package.sha256,
    });
    print_as(output, &value, |out| {
        writeln!(
            out,
            "{}: {architecture}, {linkage}, {:.1} MB ({:.1} MB unpacked), sha256 {}",
            args.out.display(),
            package.bytes.len() as f64 / 1e6,
            program.len() as f64 / 1e6,
            package.sha256
        )
    })?;
    Ok(Ended::Well)
}
