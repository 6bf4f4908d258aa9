//! The `lode` command: one file a command, thin over the crates.
//!
//! stdout is data, stderr is talk. Errors have a stable code, say what happened
//! and what to do next, and set the exit code.

mod account;
mod demo;
mod evaluate;
mod failure;
mod folder;
mod key;
mod log;
mod model;
mod node;
mod out;
mod sealing;
mod seals;
mod session;
mod submission;
mod train;
mod watch;

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
    /// Train a model for a bounty, by a recipe.
    ///
    /// There are no checkpoints: a training that was stopped or killed begins again from the start,
    /// and comes to the same bits. One that is finished is recognised, and running this again does nothing.
    Train(train::Args),
    /// Check a model folder as an evaluator will, seal it, and commit it to a bounty.
    ///
    /// The folder is sealed under a fresh key, which is kept in $LODE_HOME/seals before anything is
    /// sent; then the ciphertext is uploaded and the seal committed. It may be killed and run again
    /// at any moment: the same folder is committed to a bounty once. Reveal the key in time with
    /// 'lode submission reveal --watch'.
    Submit(submission::SubmitArgs),
    /// Submissions: what became of them, and revealing their keys.
    #[command(subcommand)]
    Submission(submission::Command),
    /// Models: register, list, download, look at lineage, run.
    #[command(subcommand)]
    Model(model::Command),
    /// Earn by scoring: join the evaluators, do what your seats owe.
    #[command(subcommand)]
    Evaluate(evaluate::Command),
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
    let cli = Cli::parse_from(std::env::args_os().map(session::guard_id));
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
        Command::Train(args) => {
            check_environment()?;
            train::run(args, session)
        }
        Command::Submit(args) => {
            check_environment()?;
            submission::submit(args, session)
        }
        Command::Submission(command) => submission::run(command, session),
        Command::Model(command) => {
            check_environment()?;
            model::run(command, session)
        }
        Command::Evaluate(command) => {
            check_environment()?;
            evaluate::run(command, session)
        }
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
