//! The `lode` command: one file a command, thin over the crates.
//!
//! stdout is data, stderr is talk. Errors have a stable code, say what happened
//! and what to do next, and set the exit code.

mod account;
mod demo;
mod failure;
mod folder;
mod key;
mod license;
mod log;
mod node;
mod out;
mod royalty;
mod sealing;
mod seals;
mod session;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use failure::{Exit, Failure};
use session::{Global, Session};

/// An open marketplace for model training.
#[derive(Parser)]
#[command(name = "lode", version, about, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the whole market on this machine, on real data, in about a minute.
    Demo(demo::Args),
    /// Run a node: order records, keep the log, answer everyone.
    Node(node::Args),
    /// Keys: make, show, recover, export.
    #[command(subcommand)]
    Key(key::Command),
    /// Accounts: balances, sending tokens, the faucet of development networks.
    #[command(subcommand)]
    Account(account::Command),
    /// Licences: what a grant costs, buying it, certificates that verify offline.
    #[command(subcommand)]
    License(license::Command),
    /// Royalty shares: what they earned, claiming it, passing them on.
    #[command(subcommand)]
    Royalty(royalty::Command),
    /// Export or replay the log.
    #[command(subcommand)]
    Log(log::Command),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    match Session::new(cli.global).and_then(|session| run(&cli.command, &session)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => {
            check_environment()?;
            demo::run(args, session.json())
        }
        Command::Node(args) => node::run(args, session),
        Command::Key(command) => key::run(command, session),
        Command::Account(command) => account::run(command, session),
        Command::License(command) => license::run(command, session),
        Command::Royalty(command) => royalty::run(command, session),
        Command::Log(command) => log::run(command, session),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "lode", &mut script);
            out::bytes(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            let man = clap_mangen::Man::new(Cli::command());
            man.render(&mut page).map_err(Failure::bug)?;
            out::bytes(&page)
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
