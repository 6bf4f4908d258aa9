//! Manifests, readers and splits; yields ndarray arrays.
