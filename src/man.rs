//! `lode man`: manual pages, made from the same words as `--help`.

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;

/// What `lode man` can be told.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  lode man license buy | man -l -
  lode man --dir ~/.local/share/man/man1")]
pub struct Args {
    /// Which command's page, as 'license buy' [default: that of lode itself].
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
    /// Write the page of every command into this folder instead.
    #[arg(long, value_name = "D", conflicts_with = "path")]
    dir: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
///
/// # Errors
/// There is no such command, or the folder cannot be written.
pub fn run(args: &Args, session: &Session, lode: Command) -> Result<(), Failure> {
    let mut lode = lode.disable_help_subcommand(true);
    lode.build();
    match &args.dir {
        Some(dir) => write_all(dir, session, &lode),
        None => {
            let mut page = Vec::new();
            let man = Man::new(find(&lode, &args.path)?);
            man.render(&mut page).map_err(Failure::bug)?;
            out::bytes(&page)
        }
    }
}

fn find(lode: &Command, path: &[String]) -> Result<Command, Failure> {
    let mut command = lode;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            let message = format!("'{name:.60}' is no command of '{}'", command.get_name());
            let next = match known[..] {
                [] => "leave it out: it has no commands of its own".to_owned(),
                _ => format!("it has {}", known.join(", ")),
            };
            Failure::new("unknown_command", message, next).exit(Exit::Usage)
        })?;
    }
    Ok(command.clone())
}

/// Every command, the first before what it holds.
fn all(command: &Command) -> Vec<Command> {
    let mut found = vec![command.clone()];
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        found.extend(all(sub));
    }
    found
}

fn write_all(dir: &Path, session: &Session, lode: &Command) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|error| Failure::io(dir, &error))?;
    let mut files = Vec::new();
    for command in all(lode) {
        let man = Man::new(command);
        let name = man.get_filename();
        let mut page = Vec::new();
        man.render(&mut page).map_err(Failure::bug)?;
        let path = dir.join(&name);
        std::fs::write(&path, page).map_err(|error| Failure::io(&path, &error))?;
        files.push(name);
    }
    if session.json() {
        let written = serde_json::json!({ "dir": dir.display().to_string(), "files": files });
        return out::json("man", &written);
    }
    out::line(&format!("{} pages in {}", files.len(), dir.display()))
}
