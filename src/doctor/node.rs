//! The node, its network and clock, and the records that wait for its word.

use std::time::Duration;

use client::{Client, ClientError, Options, Settlement};
use protocol::id::{Address, NetworkId};
use protocol::record::GenesisRecord;

use super::files;
use super::report::Report;
use crate::session::Session;

/// A clock that is off by more makes deadlines hard to keep.
const SKEW_MS_MAX: u64 = 60_000;

/// The node, if it can be asked.
pub fn node(report: &mut Report, session: &Session) -> Option<Client> {
    let url = session.node_url();
    // Whoever asks what is wrong should not wait for a minute.
    let options = Options {
        timeout: Duration::from_secs(10),
        retries: 1,
        ..Options::default()
    };
    let client = match Client::with_options(&url, options) {
        Ok(client) => client,
        Err(error) => return unreachable(report, error),
    };
    match client.check_compatible() {
        Ok(version) => report.ok(
            "node",
            format!("{} is lode {}", client.url(), version.version),
        ),
        Err(error) => return unreachable(report, error),
    }
    match client.ready() {
        Ok(ready) if ready.ready => report.ok("node", "takes records"),
        Ok(ready) => report.problem(
            "node",
            format!("takes no records: {}", ready.reasons.join("; ")),
            "mend what it names, or wait and try again",
        ),
        Err(error) => report.failed("node", &error.into()),
    }
    match client.status() {
        Ok(status) => {
            let found = format!(
                "{} ('{}'), block {}, {} records wait",
                status.network, status.name, status.height, status.mempool.records
            );
            match session.network() {
                Ok(Some(wanted)) if wanted != status.network => report.problem(
                    "network",
                    format!("it is not {wanted}, which --network or LODE_NETWORK names"),
                    "name a node of that network with --node, or the other network with --network",
                ),
                Ok(_) => {}
                Err(failure) => report.failed("network", &failure),
            }
            match network_is_named_right(&client, &status) {
                true => {
                    report.ok("network", found);
                    let trust = format!(
                        "its blocks are made by {} alone: its operator is trusted for order, time and draws",
                        status.proposer
                    );
                    report.note("network", trust, "");
                }
                false => report.problem(
                    "network",
                    format!("{found}; its genesis names another network"),
                    "do not act through this node: ask another one",
                ),
            }
        }
        Err(error) => report.failed("network", &error.into()),
    }
    clock(report, &client);
    Some(client)
}

fn unreachable(report: &mut Report, error: ClientError) -> Option<Client> {
    report.failed("node", &error.into());
    None
}

fn network_is_named_right(client: &Client, status: &protocol::api::Status) -> bool {
    let genesis = client.genesis_item();
    let genesis = genesis
        .ok()
        .and_then(|item| GenesisRecord::read(&item).ok());
    genesis.is_some_and(|genesis| {
        genesis.network == status.network && genesis.proposer == status.proposer
    })
}

fn clock(report: &mut Report, client: &Client) {
    match client.clock_skew_ms() {
        Ok(None) => report.note("clock", "the node's clock is driven by hand", ""),
        Ok(Some(skew_ms)) if skew_ms.unsigned_abs() > SKEW_MS_MAX => report.problem(
            "clock",
            format!("this machine's is {skew_ms} ms ahead of the node's"),
            "set this machine's clock right: deadlines go by the node's",
        ),
        Ok(Some(skew_ms)) => report.ok("clock", format!("{skew_ms} ms ahead of the node's")),
        Err(error) => report.failed("clock", &error.into()),
    }
}

/// Records whose outcome an earlier command did not learn: settled if a person agrees.
pub fn outbox(report: &mut Report, session: &Session, has_node: bool) {
    let paths = match files(&session.home().join("outbox"), "item") {
        Ok(paths) => paths,
        Err(error) => return report.failed("outbox", &error),
    };
    if paths.is_empty() {
        return report.ok("outbox", "no record waits for its outcome");
    }
    for path in &paths {
        let name = path.file_stem().and_then(|name| name.to_str());
        let parts = name.and_then(|name| name.split_once('@'));
        let parts = parts.and_then(|(address, network)| {
            Some((
                address.parse::<Address>().ok()?,
                network.parse::<NetworkId>().ok()?,
            ))
        });
        let Some((address, network)) = parts else {
            let found = format!("{} is not of lode", path.display());
            report.note("outbox", found, "move it away");
            continue;
        };
        let open = format!(
            "a record of {address} on network {network} was signed, and its outcome is not known"
        );
        let there = session
            .client()
            .ok()
            .and_then(|client| client.status().ok());
        if has_node && there.is_some_and(|status| status.network != network) {
            let next = "run 'lode doctor' against a node of that network; records elsewhere do not wait for it";
            report.note("outbox", open, next);
            continue;
        }
        if !has_node {
            report.note(
                "outbox",
                open,
                "run 'lode doctor' again when the node answers",
            );
            continue;
        }
        let question = format!("{open}. Find out now? Nothing new is signed.");
        if session.global.dry_run || session.confirm(&question).is_err() {
            let next = "lode doctor --yes settles it; so does the next command that acts";
            report.note("outbox", open, next);
            continue;
        }
        match session.settle_outbox(address) {
            Ok(None) => report.ok(
                "outbox",
                format!("what was kept of {address} was never sent"),
            ),
            Ok(Some(Settlement::Dead)) => report.note(
                "outbox",
                format!("the last record of {address} was not included and never will be"),
                "do again what it was for",
            ),
            Ok(Some(Settlement::Final(view))) => match view.problem {
                None => report.ok(
                    "outbox",
                    format!(
                        "the last record of {address} is final: {}. What it was for is done",
                        view.id
                    ),
                ),
                Some(problem) => report.note(
                    "outbox",
                    format!(
                        "the last record of {address} is on the log as {}, and a rule rejected it: {} [{}]",
                        view.id, problem.message, problem.code
                    ),
                    "what it was for is not done: do it again if its time is not over",
                ),
            },
            Err(error) => report.failed("outbox", &error),
        }
    }
}
