//! Architectures generic over burn's Backend, safetensors in and out.
