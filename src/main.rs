//! The `lode` command: one file a command, thin over the crates.
//!
//! stdout is data, stderr is talk. Errors have a stable code, say what happened
//! and what to do next, and set the exit code.

mod demo;
mod failure;
mod folder;
mod log;
mod out;
mod sealing;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use failure::{Exit, Failure};

/// An open marketplace for model training.
#[derive(Parser)]
#[command(name = "lode", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the whole market on this machine, on real data, in about a minute.
    Demo(demo::Args),
    /// Export or replay the log.
    #[command(subcommand)]
    Log(log::Command),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (json, outcome) = match &cli.command {
        Command::Demo(args) => (
            args.json(),
            check_environment().and_then(|()| demo::run(args)),
        ),
        Command::Log(command) => (command.json(), log::run(command)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "lode", &mut script);
            (false, out::bytes(&script))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// What the environment asks of the arithmetic, before anything begins.
fn check_environment() -> Result<(), Failure> {
    let settings = evaluator::check_environment();
    settings.map_err(|why| {
        let next = "correct the variable, or unset it: neither changes a bit of any result";
        Failure::new("environment", why, next).exit(Exit::Usage)
    })
}
