//! The `lode` command: one file a command, thin over the crates.
//!
//! stdout is data, stderr is talk. Errors have a stable code, say what happened
//! and what to do next, and set the exit code.

mod demo;
mod failure;
mod folder;
mod log;
mod sealing;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
        Command::Demo(args) => (args.json(), demo::run(args)),
        Command::Log(command) => (command.json(), log::run(command)),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(*shell, &mut command, "lode", &mut std::io::stdout());
            (false, Ok(()))
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
