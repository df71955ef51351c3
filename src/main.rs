//! The s4cast binary.

fn main() -> std::process::ExitCode {
    s4cast::cli::run(std::env::args_os().collect())
}
