//! The rules of the market, table by table: one record and its result a line.
//!
//! A line shows the rejection's code or `ok`, what happened, and by how much
//! each purse changed, byte fees left out.

mod accounts;
mod bounties;
mod budget;
mod clock;
mod codes;
mod deposits;
mod evaluators;
mod funds;
mod lineage;
mod panels;
mod random;
mod refusals;
mod royalties;
mod settlement;
mod state;
mod statements;
mod steps;
mod votes;
#[allow(dead_code, reason = "the attacks use more of it")]
mod world;
