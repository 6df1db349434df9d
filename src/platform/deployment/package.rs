//! The functions' package: a zip with the program as `bootstrap`, as the runtime `provided.al2023` wants it.
//!
//! The same program gives the same bytes, so that its key in the artifact bucket tells whether anything changed.

use std::io::{Cursor, Read, Write};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// What Lambda starts.
const BOOTSTRAP: &str = "bootstrap";
/// Bytes Lambda unpacks at most.
const LARGEST: u64 = 250 * 1024 * 1024;

/// The processor a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// AWS Graviton; the cheaper one.
    Arm64,
    /// Intel and AMD.
    X86_64,
}

impl std::str::FromStr for Architecture {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Arm64, Self::X86_64];
        let found = known.into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| format!("'{text}' is no architecture; choose arm64 or x86_64"))
    }
}

impl Architecture {
    /// As Lambda's `Architectures` says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

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

/// A package and what is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    /// The zip.
    pub bytes: Vec<u8>,
    /// SHA-256 of the zip, hexadecimal.
    pub sha256: String,
    /// What the program is for.
    pub architecture: Architecture,
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, architecture) = (self.bytes.len(), self.architecture.name());
        write!(f, "Package({bytes} bytes, {architecture}, {})", self.sha256)
    }
}

impl Package {
    /// Packs a program.
    ///
    /// # Errors
    /// [`PackageError`] when it is no program for Lambda, or not for `wanted`.
    pub fn of_program(program: &[u8], wanted: Option<Architecture>) -> Result<Self, PackageError> {
        let architecture = architecture_of(program)?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != architecture) {
            return Err(PackageError::WrongArchitecture {
                found: architecture.name(),
                wanted: wanted.name(),
            });
        }
        let bytes = program.len() as u64;
        if bytes > LARGEST {
            return Err(PackageError::TooLarge { bytes });
        }
        // The time of nobody's clock: 1980-01-01, where the zip's own calendar begins.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o755);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(BOOTSTRAP, options)?;
        zip.write_all(program)?;
        let bytes = zip.finish()?.into_inner();
        Ok(Self {
            sha256: sha256(&bytes),
            bytes,
            architecture,
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
        let mut head = [0; 64];
        file.read_exact(&mut head)?;
        let architecture = architecture_of(&head)?;
        drop(file);
        Ok(Self {
            sha256: sha256(&bytes),
            bytes,
            architecture,
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

/// Reads the head of an ELF file: class, byte order, operating system and machine (System V ABI, figure 4-3).
fn architecture_of(program: &[u8]) -> Result<Architecture, PackageError> {
    let not = |why: String| PackageError::NotAProgram { why };
    let head = program
        .get(..20)
        .ok_or_else(|| not(format!("it has {} bytes", program.len())))?;
    if !head.starts_with(b"\x7fELF") {
        return Err(not("it does not begin like one".to_owned()));
    }
    if head[4] != 2 || head[5] != 1 {
        return Err(not("it is not 64-bit little-endian".to_owned()));
    }
    match u16::from_le_bytes([head[18], head[19]]) {
        62 => Ok(Architecture::X86_64),
        183 => Ok(Architecture::Arm64),
        other => Err(not(format!("its machine is number {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a program, and something to pack.
    pub(crate) fn program(machine: u8) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01\x00".to_vec();
        program.resize(18, 0);
        program.extend([machine, 0]);
        program.resize(100_000, 7);
        program
    }

    #[test]
    fn the_same_program_gives_the_same_bytes() {
        let first = Package::of_program(&program(183), None).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let again = Package::of_program(&program(183), Some(Architecture::Arm64)).unwrap();
        assert_eq!(first, again);
        assert!(first.bytes.len() < 2_000, "it is compressed");
        let other = Package::of_program(&program(62), None).unwrap();
        assert_ne!(first.sha256, other.sha256);
        assert_eq!(other.architecture, Architecture::X86_64);
    }

    #[test]
    fn the_zip_holds_one_executable_bootstrap() {
        let package = Package::of_program(&program(62), None).unwrap();
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
        assert!(refused(b"#!/bin/sh\nexec java -jar x.jar", None).contains("does not begin"));
        assert!(refused(b"", None).contains("0 bytes"));
        let wrong = refused(&program(62), Some(Architecture::Arm64));
        assert!(wrong.contains("for x86_64, and arm64"), "{wrong}");
        let mut small = program(3);
        small[4] = 1;
        assert!(refused(&small, None).contains("64-bit"));
        assert!(Package::of_zip(b"PK".to_vec()).is_err());
    }
}
