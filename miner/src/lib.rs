//! Recipe to trained model folder, on the reproducible backend.
