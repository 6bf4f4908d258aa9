//! Job to report: leaves, metrics, scores; reproduce one example.
