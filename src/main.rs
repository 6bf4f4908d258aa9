//! The `lode` command: one file a command, thin over the crates.
//!
//! stdout is data, stderr is talk. Errors have a stable code, say what happened
//! and what to do next, and set the exit code.

/// Says something on stderr. That nobody reads it, or that it is a file on a full disk, is no reason to end.
macro_rules! talk {
    ($($words:tt)*) => {
        $crate::out::talk(format_args!($($words)*))
    };
}

mod account;
mod amount;
mod bounty;
mod boxed;
mod dataset;
mod demo;
mod doctor;
mod evaluate;
mod failure;
mod folder;
mod funds;
mod key;
mod license;
mod log;
mod man;
mod model;
mod node;
mod out;
mod outfile;
mod royalty;
mod sealing;
mod seals;
mod session;
mod statement;
mod submission;
mod terms;
mod test_sets;
mod train;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use failure::{Exit, Failure};
use session::{Global, Session};

/// An open marketplace for model training.
///
/// Sponsors post bounties, miners train models for them, evaluators score the models to the
/// same bits everywhere, licensees buy licences, and every payment follows the lineage.
#[derive(Parser)]
#[command(
    name = "lode",
    version,
    about,
    propagate_version = true,
    after_help = "\
Begin here:
  lode demo                      the whole market on this machine, in seconds
  lode node --dev                a development network, with a faucet
  lode key new                   a key of your own
  lode account faucet            tokens of the development network
  lode doctor                    what is wrong, and what to do

Exit codes: 0 done, 1 failed, 2 usage, 3 key or permission, 4 not found, 5 rejected by a rule
of the market, 6 try again later. With --json results and errors are JSON (docs/json.md)."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the whole market on this machine, on real data, in seconds.
    Demo(demo::Args),
    /// Run a node: order records, keep the log, answer everyone.
    Node(node::Args),
    /// Keys: make, show, recover, export.
    #[command(after_help = "\
A key is a file in $LODE_HOME/keys, encrypted under a passphrase. What acts is signed by the key
that --key names; without it by $LODE_SIGNER, or the key that $LODE_KEY names, or the one called 'default'.

Examples:
  lode key new
  lode key new alice
  lode key show
  lode key recover alice < words.txt")]
    #[command(subcommand)]
    Key(key::Command),
    /// Accounts: balances, sending tokens, the faucet of development networks.
    #[command(after_help = "\
Examples:
  lode account show
  lode account send alice 12.5 --dry-run
  lode account faucet --amount 100")]
    #[command(subcommand)]
    Account(account::Command),
    /// Data sets: make, register, download, check.
    #[command(subcommand)]
    Dataset(dataset::Command),
    /// Bounties: write, check, post, follow, account for.
    #[command(subcommand)]
    Bounty(bounty::Command),
    /// Train a model for a bounty, by a recipe.
    ///
    /// A checkpoint is kept every ten seconds: after Ctrl-C or a kill the same command goes on from it,
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
    /// Licences: what a grant costs, buying it, certificates that verify offline.
    #[command(after_help = "\
In order:
  lode license quote 'Digits base'
  lode license buy 'Digits base' --grant commercial_use
  lode license certificate LICENSE --out license.json
  lode license verify license.json --network ID")]
    #[command(subcommand)]
    License(license::Command),
    /// Royalty shares: what they earned, claiming it, passing them on.
    #[command(after_help = "\
Examples:
  lode royalty show
  lode royalty claim --all
  lode royalty explain 'Digits base'")]
    #[command(subcommand)]
    Royalty(royalty::Command),
    /// Export or replay the log: every signature, root and balance from one file.
    #[command(after_help = "\
Examples:
  lode log export --out log.bundle
  lode log replay log.bundle")]
    #[command(subcommand)]
    Log(log::Command),
    /// Look at this machine, its keys and its node, and say what is wrong and what to do.
    Doctor(doctor::Args),
    /// Print the completions of a shell.
    #[command(after_help = "\
Examples:
  lode completions bash > ~/.local/share/bash-completion/completions/lode
  lode completions fish > ~/.config/fish/completions/lode.fish")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of a command, or write those of all.
    Man(man::Args),
    /// What other commands start for each thing that a stranger made; it is told by stdin.
    #[command(hide = true)]
    InBox,
}

fn main() -> ExitCode {
    let args = std::env::args_os().map(session::guard_id);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // It has no session: no home, no key, no node.
    if matches!(cli.command, Command::InBox) {
        return boxed::child();
    }
    let json = cli.global.json;
    match Session::new(cli.global).and_then(|session| run(&cli.command, &session)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Help and version on stdout; a command line that makes no sense as clap says it, or as
/// JSON where JSON was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !wants_json {
        let _ = error.print();
        return ExitCode::from(error.exit_code() as u8);
    }
    let text = error.to_string();
    // What is wrong, without the usage that follows it.
    let message = text.split("\n\n").next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message: Vec<&str> = message.split_whitespace().collect();
    let message = message.join(" ");
    let next = "look at the command's --help";
    let failure = Failure::new("usage", message, next).exit(Exit::Usage);
    failure.print(true);
    ExitCode::from(failure.exit as u8)
}

/// A dry run of what has none, and would do its work all the same, would be no dry run.
fn check_dry_run(command: &Command, session: &Session) -> Result<(), Failure> {
    let writes = matches!(
        command,
        Command::Key(
            key::Command::New { .. } | key::Command::Recover { .. } | key::Command::Export { .. }
        ) | Command::Dataset(dataset::Command::Init(_) | dataset::Command::Get { .. })
            | Command::Bounty(bounty::Command::Init { .. })
            | Command::Model(model::Command::Get { .. })
            | Command::License(license::Command::Certificate { .. })
            | Command::Demo(_)
            | Command::Man(_)
            | Command::Log(log::Command::Export { .. })
    );
    if !(writes && session.global.dry_run) {
        return Ok(());
    }
    let message = "this command has no dry run";
    let next = "leave --dry-run out";
    Err(Failure::new("usage", message, next).exit(Exit::Usage))
}

fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    check_dry_run(command, session)?;
    match command {
        Command::Demo(args) => {
            check_environment()?;
            demo::run(args, session.json())
        }
        Command::Node(args) => node::run(args, session),
        Command::Key(command) => key::run(command, session),
        Command::Account(command) => account::run(command, session),
        Command::Dataset(command) => dataset::run(command, session),
        Command::Bounty(command) => bounty::run(command, session),
        Command::License(command) => license::run(command, session),
        Command::Royalty(command) => royalty::run(command, session),
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
        Command::Doctor(args) => doctor::run(args, session),
        Command::Man(args) => man::run(args, session, Cli::command()),
        Command::InBox => Err(Failure::bug("main runs it before there is a session")),
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
