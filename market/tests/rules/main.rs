//! The rules of the market, table by table: one record and its result a line.
//!
//! A line shows the rejection's code or `ok`, what happened, and by how much
//! each purse changed, byte fees left out.

mod accounts;
mod bounties;
mod codes;
mod evaluators;
mod lineage;
mod random;
mod royalties;
mod settlement;
mod state;
mod statements;
mod world;
