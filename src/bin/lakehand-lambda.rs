//! The program of all deployed functions: everything is in the library.

/// As in `lakehand`: memory that a phase freed goes back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    lakehand::platform::aws::lambda::main()
}
