//! The shell: append-only log, rebuildable state, sequencer, blobs.
