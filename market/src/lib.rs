//! The rules: state, transactions, phases, settlement, royalties.
