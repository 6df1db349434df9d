//! The `lakehand` program: everything is in the library.

/// One process collects, normalises and builds in turn. The system's allocator keeps what each phase freed
/// (608 MB at the peak of a million clicks); this one gives it back (352 MB in the same run).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    lakehand::cli::main()
}
