//! orgseal, the command line: arguments in, exit code out. What a command does is in `commands/`, one file each.

mod args;
mod commands;
mod connect;
mod environment;
mod failure;
mod listen;
mod output;
mod read_file;
mod replace;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return misused(&usage),
    };
    let json = arguments.json;
    if let Err(failure) = listen::log::install(&arguments.log) {
        failure.show(json);
        return ExitCode::from(1);
    }
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::plain(
                format!("the program could not start its threads: {error}"),
                "free memory, or raise the limits on processes and open files (`ulimit -u`, `ulimit -n`)",
            )
        })
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(arguments));
            // A question that was never answered still waits for its line.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.show(json);
            ExitCode::from(failure.exit())
        }
    }
}

/// Help and version are answers; anything else about the command line is a failure of the command. clap would leave with 2,
/// which means "found something not as wanted" here.
fn misused(usage: &clap::Error) -> ExitCode {
    // A terminal that is gone hears nothing.
    let _ = usage.print();
    if !usage.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        Failure::plain(usage.render().to_string().trim(), "orgseal --help shows how it is called").document();
    }
    ExitCode::from(1)
}

async fn run(arguments: Arguments) -> Result<u8, Failure> {
    signals::outlive_the_file_limit();
    environment::check()?;
    let Arguments { command, common, json, yes, .. } = arguments;
    connect::keep_place(&common, command.through());
    match command {
        Command::Audit(own) => commands::audit::run(&common, &own, json).await,
        Command::Plan(own) => commands::plan::run(&common, &own, json).await,
        Command::Preflight(own) => commands::preflight::run(&common, &own, json).await,
        Command::Rollout(own) => commands::rollout::run(&common, &own, json, yes).await,
        Command::Runs(own) => commands::runs::run(&common, &own, json),
        Command::Status(own) => commands::status::run(&common, &own, json),
        Command::Resume(own) => commands::resume::run(&common, &own, json, yes).await,
        Command::Rollback(own) => commands::rollback::run(&common, &own, json, yes).await,
        Command::Ledger(own) => commands::ledger::run(&common, &own, json),
        Command::Report(own) => commands::report::run(&common, &own, json),
        Command::Bootstrap(own) => commands::bootstrap::run(&common, &own, json, yes).await,
        Command::Sandbox(own) => commands::sandbox::run(&common, &own, json).await,
        Command::Config(own) => commands::config::run(&common, &own, json),
    }
}
