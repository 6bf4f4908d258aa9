//! Universal Data License tags to terms, prices, splits and royalty stacks.
