//! stdout, where data goes: a reader that has seen enough is no error, a full disk is one. And stderr, where
//! neither is: the macro `talk!`.

use std::io::{self, Write};
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use protocol::receipt::{Purse, Receipt, Rule};
use protocol::text::visible;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// What `talk!` does.
pub fn talk(words: std::fmt::Arguments<'_>) {
    let words = harmless(&words.to_string());
    // In one piece, as far as the system goes: several processes may share a file.
    let _ = io::stderr().write_all(format!("{words}\n").as_bytes());
}

/// Prints a line.
///
/// # Errors
/// If stdout cannot be written. A reader that has gone, as in `lode … | head -1`,
/// is no failure; the rest of what would be printed is dropped.
pub fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{}\n", harmless(text)).as_bytes())
}

/// The same text, of which nothing steers a terminal but that lines end: words may come from a file, a record or a node that
/// somebody else made.
fn harmless(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Prints bytes as they are; otherwise as [`line()`].
///
/// # Errors
/// As [`line()`].
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io(Path::new("stdout"), &error))
        }
        _ => Ok(()),
    }
}

/// Prints a value as one JSON object with its schema, `lode.<kind>/1`. A list
/// becomes the object's `items`.
///
/// # Errors
/// As [`line()`].
pub fn json(kind: &str, value: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_value(value).map_err(Failure::bug)?;
    let mut object = match value {
        Value::Object(object) => object,
        other => [("items".to_owned(), other)].into_iter().collect(),
    };
    object.insert("schema".to_owned(), format!("lode.{kind}/1").into());
    let text = serde_json::to_string_pretty(&object).map_err(Failure::bug)?;
    // As it is: a program's data.
    bytes(format!("{text}\n").as_bytes())
}

/// Prints a value as one JSON object with its schema on one line: a stream of
/// them is for programs that follow a daemon.
///
/// # Errors
/// As [`line()`].
pub fn json_line(kind: &str, mut value: Value) -> Result<(), Failure> {
    if let Value::Object(object) = &mut value {
        object.insert("schema".to_owned(), format!("lode.{kind}/1").into());
    }
    bytes(format!("{value}\n").as_bytes())
}

/// A table whose columns of numbers, by place, are aligned to the right.
pub fn table(head: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !head.is_empty() {
        table.set_header(head.to_vec());
    }
    table.add_rows(rows);
    for &place in numbers {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Prints the movements of money of a receipt.
///
/// # Errors
/// As [`line()`].
pub fn moves(receipt: Option<&Receipt>) -> Result<(), Failure> {
    let Some(receipt) = receipt.filter(|receipt| !receipt.moves.is_empty()) else {
        return Ok(());
    };
    let rows = receipt.moves.iter().map(|step| {
        vec![
            purse(&step.from),
            purse(&step.to),
            step.amount.to_lode_string(),
            rule(step.rule),
        ]
    });
    line(&table(&["from", "to", "LODE", "why"], &[2], rows.collect()).to_string())
}

/// The first characters of an id or address, for people: enough to name it to a command.
pub fn short(id: impl std::fmt::Display) -> String {
    let text = id.to_string();
    format!("{}…", text.chars().take(10).collect::<String>())
}

/// A purse in few words.
pub fn purse(purse: &Purse) -> String {
    match purse {
        Purse::Account(address) => format!("account {}", short(address)),
        Purse::Reward(id) => format!("reward of {}", short(id)),
        Purse::SponsorBond(id) => format!("sponsor's bond of {}", short(id)),
        Purse::MinerBond(id) => format!("miner's bond of {}", short(id)),
        Purse::EvaluationFee(id) => format!("evaluation fee of {}", short(id)),
        Purse::PrepaidFees(id) => format!("prepaid fees of {}", short(id)),
        Purse::Stake(address) => format!("stake of {}", short(address)),
        Purse::Seat(id, address) => format!("seat of {} in {}", short(address), short(id)),
        Purse::Harm(id) => format!("harm of {}", short(id)),
        Purse::Deposit(id) => format!("deposit of {}", short(id)),
        Purse::Income(id) => format!("income of {}", short(id)),
        Purse::Burned => "burned".to_owned(),
        Purse::Fund(id) => format!("fund of {}", short(id)),
        Purse::Escrow(_, id) => format!("months to come of {}", short(id)),
    }
}

/// A rule's name in plain words, as in JSON with spaces.
pub fn rule(rule: Rule) -> String {
    let name = serde_json::to_value(rule).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}

/// Why a rule moves money, in a few words.
pub const fn reason(rule: Rule) -> &'static str {
    match rule {
        Rule::ByteFee => "byte fees of records, burned",
        Rule::Transfer => "a transfer",
        Rule::Reward => "the sponsor's reward, put up at posting",
        Rule::Backing => "added to the reward",
        Rule::Bond => "a bond, put up",
        Rule::EvaluationFee => "for the evaluation of a submission",
        Rule::PrepaidFees => "evaluation fees, put up by the sponsor",
        Rule::Deposit => "a deposit for what the record keeps in the state",
        Rule::DepositReturn => "a deposit came back: what it was for is forgotten",
        Rule::Stake => "an evaluator's stake, put up",
        Rule::Unstake => "an evaluator's stake, taken back",
        Rule::SeatLock => "stake, locked by a seat",
        Rule::SeatReturn => "stake, free again",
        Rule::Award => "the best model, or a step to it, by reserve and margin",
        Rule::Refund => "what was put up and not used came back",
        Rule::BondReturn => "the bond came back",
        Rule::EvaluationPay => "its word is the verdict, on a submission or on a bad test set",
        Rule::ForfeitBurned => "a forfeit: the burned part",
        Rule::ForfeitHeld => "a forfeit: the part that waits for those who were harmed",
        Rule::ForfeitShared => "a forfeit: to who was harmed, at most what they put at risk",
        Rule::LicenseIncome => "the price of a licence, to the asset",
        Rule::StackIncome => "an ancestor's share of the price of a licence",
        Rule::Claim => "royalties, claimed",
        Rule::RandomDistribution => "royalties, to the holder that was drawn",
        Rule::SelfFunding => "income, set aside for further rounds",
        Rule::FundedReward => "reward, out of a parent's fund",
        Rule::FundReturn => "reward that nobody won, back to the fund",
        Rule::Escrow => "months of a licence that have not begun, paid in advance",
    }
}

/// Milliseconds since 1970 as UTC, for people.
pub fn time(time_ms: u64) -> String {
    licensing::certificate::utc(time_ms)
}

/// A bar for bytes on a terminal, nothing elsewhere.
///
/// # Errors
/// Never, unless the template is wrong.
pub fn bytes_bar(what: &str) -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::new(0);
    let style = "  {prefix} {bar:32} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).map_err(Failure::bug)?);
    bar.set_prefix(what.to_owned());
    Ok(bar)
}
