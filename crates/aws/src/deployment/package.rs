//! The functions' package: a zip with the program as `bootstrap`, as the runtime `provided.al2023` wants it.
//!
//! The same program gives the same bytes, so that its key in the artifact bucket tells whether anything changed.

use std::io::{Cursor, Read, Write};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::program::{Architecture, Linkage, Program};

/// What Lambda starts.
const BOOTSTRAP: &str = "bootstrap";
/// Bytes Lambda unpacks at most.
const LARGEST: u64 = 250 * 1024 * 1024;

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file is no program that Lambda could start.
    #[error("it is no 64-bit Linux program (ELF): {why}")]
    NotAProgram {
        /// What it is instead.
        why: String,
    },
    /// The program is for another processor.
    #[error("it is a program for {found}, and {wanted} was asked for")]
    WrongArchitecture {
        /// What it is for.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The program would not start there.
    #[error("it is linked to {0}, and Lambda's runtime has glibc 2.34: no function would start")]
    NotOnLambda(Linkage),
    /// The program is too large.
    #[error("it unpacks to {bytes} bytes, and Lambda takes {LARGEST}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The zip cannot be written or read, or lacks what it needs.
    #[error("the zip is not usable: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What a program has to be before it is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The processor; without it any that Lambda has.
    pub architecture: Option<Architecture>,
    /// Also what Lambda's runtime lacks the C library for: an emulator starts it with the machine's own.
    pub any_libc: bool,
}

impl Wanted {
    fn check(self, program: &Program) -> Result<(), PackageError> {
        let found = program.architecture;
        if let Some(wanted) = self.architecture.filter(|wanted| *wanted != found) {
            return Err(PackageError::WrongArchitecture {
                found: found.name(),
                wanted: wanted.name(),
            });
        }
        if !self.any_libc && !program.linkage.suits_lambda() {
            return Err(PackageError::NotOnLambda(program.linkage.clone()));
        }
        Ok(())
    }
}

/// A program that Lambda takes by its kind and size.
fn fitting(bytes: &[u8]) -> Result<Program, PackageError> {
    let size = bytes.len() as u64;
    if size > LARGEST {
        return Err(PackageError::TooLarge { bytes: size });
    }
    Program::of(bytes).map_err(|why| PackageError::NotAProgram { why })
}

/// A package and what is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    /// The zip.
    pub bytes: Vec<u8>,
    /// SHA-256 of the zip, hexadecimal.
    pub sha256: String,
    /// What the program is for, and what it is linked to.
    pub program: Program,
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, architecture) = (self.bytes.len(), self.program.architecture.name());
        write!(f, "Package({bytes} bytes, {architecture}, {})", self.sha256)
    }
}

impl Package {
    /// Packs a program.
    ///
    /// # Errors
    /// [`PackageError`] when it is not what is `wanted`.
    pub fn of_program(bytes: &[u8], wanted: Wanted) -> Result<Self, PackageError> {
        let program = fitting(bytes)?;
        wanted.check(&program)?;
        // The time of nobody's clock: 1980-01-01, where the zip's own calendar begins.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o755);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(BOOTSTRAP, options)?;
        zip.write_all(bytes)?;
        let bytes = zip.finish()?.into_inner();
        Ok(Self {
            sha256: sha256(&bytes),
            bytes,
            program,
        })
    }

    /// A package that was made before.
    ///
    /// # Errors
    /// [`PackageError`] when it has no executable `bootstrap` for Lambda at its root.
    pub fn of_zip(bytes: Vec<u8>) -> Result<Self, PackageError> {
        let mut zip = ZipArchive::new(Cursor::new(&bytes))?;
        let mut file = zip.by_name(BOOTSTRAP)?;
        let executable = file.unix_mode().is_some_and(|mode| mode & 0o111 == 0o111);
        if !executable {
            return Err(PackageError::NotAProgram {
                why: "`bootstrap` may not be executed; its mode must be 755".to_owned(),
            });
        }
        if file.size() > LARGEST {
            return Err(PackageError::TooLarge { bytes: file.size() });
        }
        let mut unpacked = Vec::new();
        file.read_to_end(&mut unpacked)?;
        drop(file);
        let program = fitting(&unpacked)?;
        Ok(Self {
            sha256: sha256(&bytes),
            bytes,
            program,
        })
    }
}

/// Hexadecimal SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Wanted = Wanted {
        architecture: None,
        any_libc: false,
    };
    const ARM64: Wanted = Wanted {
        architecture: Some(Architecture::Arm64),
        ..ANY
    };

    /// The head of a static program, and something to pack.
    fn program(machine: u8) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01\x00".to_vec();
        program.resize(64, 0);
        (program[16], program[18], program[24]) = (2, machine, 64);
        program.resize(100_000, 7);
        program
    }

    #[test]
    fn the_same_program_gives_the_same_bytes() {
        let first = Package::of_program(&program(183), ANY).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let again = Package::of_program(&program(183), ARM64).unwrap();
        assert_eq!(first, again);
        assert!(first.bytes.len() < 2_000, "it is compressed");
        let other = Package::of_program(&program(62), ANY).unwrap();
        assert_ne!(first.sha256, other.sha256);
        assert_eq!(other.program.architecture, Architecture::X86_64);
        assert_eq!(other.program.linkage, Linkage::Static);
    }

    #[test]
    fn the_zip_holds_one_executable_bootstrap() {
        let package = Package::of_program(&program(62), ANY).unwrap();
        let mut zip = ZipArchive::new(Cursor::new(&package.bytes)).unwrap();
        assert_eq!(zip.len(), 1);
        let file = zip.by_index(0).unwrap();
        assert_eq!(file.name().unwrap(), "bootstrap");
        assert_eq!(file.unix_mode(), Some(0o100_755));
        drop(file);
        assert_eq!(Package::of_zip(package.bytes.clone()).unwrap(), package);
    }

    #[test]
    fn what_lambda_could_not_start_is_refused() {
        let refused =
            |bytes: &[u8], wanted| Package::of_program(bytes, wanted).unwrap_err().to_string();
        assert!(refused(b"#!/bin/sh\nexec java -jar x.jar", ANY).contains("does not begin"));
        assert!(refused(b"", ANY).contains("does not begin"));
        let wrong = refused(&program(62), ARM64);
        assert!(wrong.contains("for x86_64, and arm64"), "{wrong}");
        let mut small = program(3);
        small[4] = 1;
        assert!(refused(&small, ANY).contains("64-bit"));
        let mut object = program(62);
        object[16] = 1;
        assert!(refused(&object, ANY).contains("object file"));
        let mut library = program(62);
        library[24] = 0;
        assert!(refused(&library, ANY).contains("library"));
        assert!(refused(&program(62)[..40], ANY).contains("header"));
        assert!(Package::of_zip(b"PK".to_vec()).is_err());
    }

    #[test]
    fn a_program_that_would_not_start_there_is_refused_unless_told() {
        let program = Program {
            architecture: Architecture::Arm64,
            linkage: Linkage::Other("/lib/ld-musl-aarch64.so.1".to_owned()),
        };
        let why = ANY.check(&program).unwrap_err().to_string();
        assert!(
            why.contains("ld-musl-aarch64") && why.contains("2.34"),
            "{why}"
        );
        let told = Wanted {
            any_libc: true,
            ..ANY
        };
        told.check(&program).unwrap();
    }
}
