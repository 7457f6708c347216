//! Benchmarks of the built binary against a sandbox: `cargo bench -p orgseal -- NAME`, or all of them without a name.
//!
//! What is measured and what it must reach is said in docs/benchmarks.md. Nothing here is a test: machines are noisy.

mod bare_loop;
mod cpu;
mod requests;
mod schedule;
mod world;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [name, rest @ ..] = arguments.as_slice()
        && name == "bare-loop"
    {
        return bare_loop::run(rest);
    }
    let benchmarks: [(&str, fn()); 3] = [("requests", requests::run), ("schedule", schedule::run), ("cpu", cpu::run)];
    for (name, run) in benchmarks {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            say(&format!("== {name}"));
            run();
        }
    }
}

/// A line of the result.
fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}").expect("standard output takes the result");
}
