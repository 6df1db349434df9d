//! What a built program wants of the machine that starts it: its processor, and the C library beside it.
//!
//! A program that wants a newer glibc than Lambda has is deployed without complaint and fails at its first call, with
//! every function at once. Its file says so beforehand.

use object::{
    LittleEndian,
    elf::{self, FileHeader64},
    read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionTable},
};

/// The C library of `provided.al2023`: Amazon Linux 2023 stays with glibc 2.34 for all its life
/// (<https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>).
const LAMBDA_GLIBC: GlibcVersion = GlibcVersion {
    major: 2,
    minor: 34,
};

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

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion {
    major: u32,
    minor: u32,
}

impl GlibcVersion {
    /// Reads a symbol version like `GLIBC_2.34` or `GLIBC_2.2.5`; `None` for what is none, `GLIBC_PRIVATE` among it.
    fn of_symbol(version: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(version).ok()?;
        let mut numbers = text.strip_prefix("GLIBC_")?.split('.');
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }
}

impl std::fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What has to lie beside a program before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linkage {
    /// Nothing: everything is in it.
    Static,
    /// The GNU C library, of this version or a newer one.
    Glibc(GlibcVersion),
    /// A loader that Lambda does not have, by its path.
    Other(String),
}

impl Linkage {
    /// Whether Lambda's runtime has what the program wants.
    #[must_use]
    pub fn suits_lambda(&self) -> bool {
        match self {
            Self::Static => true,
            Self::Glibc(version) => *version <= LAMBDA_GLIBC,
            Self::Other(_) => false,
        }
    }
}

impl std::fmt::Display for Linkage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Static => f.write_str("static"),
            Self::Glibc(version) => write!(f, "glibc {version}"),
            Self::Other(loader) => f.write_str(loader),
        }
    }
}

/// What an ELF file says of itself (System V ABI, chapters 4 and 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The processor it is for.
    pub architecture: Architecture,
    /// What it is linked to.
    pub linkage: Linkage,
}

impl Program {
    /// Reads a whole program.
    ///
    /// # Errors
    /// What the bytes are instead of a 64-bit Linux program for a processor that Lambda has.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(&elf::ELFMAG) {
            return Err("it does not begin like one".to_owned());
        }
        if bytes.get(4..6) != Some(&[elf::ELFCLASS64, elf::ELFDATA2LSB]) {
            return Err("it is not 64-bit little-endian".to_owned());
        }
        let file = ElfFile64::<LittleEndian>::parse(bytes).map_err(|error| error.to_string())?;
        let header = file.elf_header();
        let architecture = match header.e_machine(LittleEndian) {
            elf::EM_X86_64 => Architecture::X86_64,
            elf::EM_AARCH64 => Architecture::Arm64,
            other => return Err(format!("its machine is number {other}")),
        };
        let starts = matches!(header.e_type(LittleEndian), elf::ET_EXEC | elf::ET_DYN);
        if !starts || header.e_entry(LittleEndian) == 0 {
            return Err("it is an object file or a library, with nothing to start".to_owned());
        }
        let linkage = linkage(&file).map_err(|error| error.to_string())?;
        Ok(Self {
            architecture,
            linkage,
        })
    }
}

fn linkage(file: &ElfFile64<'_, LittleEndian>) -> object::Result<Linkage> {
    let mut loader = None;
    for segment in file.elf_program_headers() {
        loader = loader.or(segment.interpreter(LittleEndian, file.data())?);
    }
    let Some(loader) = loader else {
        return Ok(Linkage::Static);
    };
    let newest = newest_glibc(file.elf_section_table(), file.data())?;
    Ok(newest.map_or_else(
        || Linkage::Other(String::from_utf8_lossy(loader).into_owned()),
        Linkage::Glibc,
    ))
}

/// The newest version that a symbol is wanted of (`.gnu.version_r`).
fn newest_glibc(
    sections: &SectionTable<'_, FileHeader64<LittleEndian>>,
    data: &[u8],
) -> object::Result<Option<GlibcVersion>> {
    let Some((libraries, names)) = sections.gnu_verneed(LittleEndian, data)? else {
        return Ok(None);
    };
    let names = sections.strings(LittleEndian, data, names)?;
    let mut newest = None;
    for library in libraries {
        for version in library?.1 {
            let name = version?.name(LittleEndian, names)?;
            newest = newest.max(GlibcVersion::of_symbol(name));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text: &str| GlibcVersion::of_symbol(text.as_bytes());
        assert!(version("GLIBC_2.9") < version("GLIBC_2.34"));
        assert_eq!(version("GLIBC_2.2.5").unwrap().to_string(), "2.2");
        assert_eq!(version("GLIBC_PRIVATE"), None);
        assert_eq!(version("GCC_3.0"), None);
        let suits = |text: &str| Linkage::Glibc(version(text).unwrap()).suits_lambda();
        assert!(suits("GLIBC_2.34") && !suits("GLIBC_2.35"));
    }

    /// This very test is a program; binutils' reader says what it wants.
    #[test]
    fn a_program_wants_what_readelf_says() {
        let own = std::env::current_exe().unwrap();
        let program = Program::of(&std::fs::read(&own).unwrap()).unwrap();
        let output = Command::new("readelf")
            .args(["--version-info", "--wide"])
            .arg(&own)
            .output()
            .expect("readelf comes with the linker");
        let text = String::from_utf8(output.stdout).unwrap();
        let minors = text.split("GLIBC_2.").skip(1).filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let newest = minors.max().expect("the tests are linked to glibc");
        assert_eq!(program.linkage.to_string(), format!("glibc 2.{newest}"));
    }

    #[test]
    fn a_loader_that_lambda_lacks_is_named() {
        let musl = Linkage::Other("/lib/ld-musl-x86_64.so.1".to_owned());
        assert!(!musl.suits_lambda());
        assert_eq!(musl.to_string(), "/lib/ld-musl-x86_64.so.1");
    }
}
