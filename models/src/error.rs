//! Why a model is refused: a stable code, a place, and a sentence.
//!
//! Codes and places are part of what evaluators attest, so they follow from the
//! bytes alone: the checks run in a written order (see [`crate::reader`]) and
//! the first fault is the one that is reported.

/// Name of the file that [`crate::ModelConfig`] is read from.
pub const CONFIG_FILE: &str = "config.json";

/// Name of the file that [`crate::Weights`] are read from.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// What is wrong with a model's configuration or weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The configuration is longer than any honest one; nothing was parsed.
    #[error("{CONFIG_FILE} has {size_bytes} bytes, the limit is {limit_bytes}")]
    ConfigTooLong {
        /// Bytes given.
        size_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The configuration is not the JSON object that was expected.
    #[error("{CONFIG_FILE} is not a configuration of a model: {0}")]
    ConfigForm(String),
    /// A field of the configuration has a value that is not supported.
    #[error("{CONFIG_FILE}: '{field}' is {value}, it must be {allowed}")]
    ConfigValue {
        /// The field, with an index where it is a list: `hidden_sizes/1`.
        field: String,
        /// The value given, shortened.
        value: String,
        /// What is accepted.
        allowed: String,
    },
    /// More parameters than the limit, counted from the shapes.
    #[error("the model has {parameters} parameters, the limit is {limit}")]
    TooManyParameters {
        /// Parameters counted.
        parameters: u64,
        /// Parameters allowed.
        limit: u64,
    },
    /// More multiply-adds for an example than the limit, counted from the shapes.
    #[error("the model needs {multiply_adds} multiply-adds an example, the limit is {limit}")]
    TooManyMultiplyAdds {
        /// Multiply-adds counted.
        multiply_adds: u64,
        /// Multiply-adds allowed.
        limit: u64,
    },
    /// The weights are longer than this architecture's can be; nothing was read.
    #[error("{WEIGHTS_FILE} has {size_bytes} bytes, this architecture needs at most {limit_bytes}")]
    FileTooLong {
        /// Bytes of the file.
        size_bytes: u64,
        /// Bytes that the header's limit and the shapes allow.
        limit_bytes: u64,
    },
    /// The weights end before their header does.
    #[error("{WEIGHTS_FILE} has {size_bytes} bytes, its header needs {needed_bytes}")]
    Truncated {
        /// Bytes given.
        size_bytes: u64,
        /// Bytes that the length field and the header take.
        needed_bytes: u64,
    },
    /// The header of the weights is longer than any honest one; nothing was parsed.
    #[error("the header of {WEIGHTS_FILE} has {size_bytes} bytes, the limit is {limit_bytes}")]
    HeaderTooLong {
        /// Bytes announced.
        size_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The header of the weights is not that of a safetensors file.
    #[error("the header of {WEIGHTS_FILE} is malformed: {0}")]
    HeaderForm(String),
    /// Two entries of the header have one name.
    #[error("{WEIGHTS_FILE} names '{0}' twice")]
    DuplicateKey(String),
    /// The architecture has no tensor of this name.
    #[error("{WEIGHTS_FILE} has a tensor '{0}', which this architecture does not have")]
    TensorUnknown(String),
    /// A tensor of the architecture is not there.
    #[error("{WEIGHTS_FILE} lacks the tensor '{0}'")]
    TensorMissing(String),
    /// A tensor is not of 32-bit floats.
    #[error("tensor '{name}' has dtype '{dtype}', only F32 is read")]
    TensorDtype {
        /// The tensor.
        name: String,
        /// Its dtype, shortened.
        dtype: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor '{name}' has shape {found}, the configuration says {expected}")]
    TensorShape {
        /// The tensor.
        name: String,
        /// Its shape, shortened.
        found: String,
        /// The shape that follows from the configuration.
        expected: String,
    },
    /// A tensor's bytes overlap another's, leave a hole, run past the end, or
    /// are not as many as its shape needs.
    #[error(
        "tensor '{name}' has the bytes {begin} to {end}; tensors lie end to end, \
         so it must have {expected_begin} to {expected_end}"
    )]
    TensorOffsets {
        /// The tensor.
        name: String,
        /// First byte it claims.
        begin: u64,
        /// Byte after the last one it claims.
        end: u64,
        /// First byte it must have.
        expected_begin: u64,
        /// Byte after the last one it must have.
        expected_end: u64,
    },
    /// The file is longer or shorter than its tensors.
    #[error("{WEIGHTS_FILE} has {found_bytes} bytes of tensors, the shapes need {expected_bytes}")]
    DataSize {
        /// Bytes after the header.
        found_bytes: u64,
        /// Bytes that the shapes need.
        expected_bytes: u64,
    },
    /// A weight is a NaN or an infinity.
    #[error("weight {index} of tensor '{name}' is not a finite number")]
    NonFinite {
        /// The tensor.
        name: String,
        /// Row-major index of the weight.
        index: u64,
    },
}

impl ModelError {
    /// The stable code, in snake case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ConfigTooLong { .. } => "config_too_long",
            Self::ConfigForm(_) => "config_form",
            Self::ConfigValue { .. } => "config_value",
            Self::TooManyParameters { .. } => "too_many_parameters",
            Self::TooManyMultiplyAdds { .. } => "too_many_multiply_adds",
            Self::FileTooLong { .. } => "weights_too_long",
            Self::Truncated { .. } => "weights_truncated",
            Self::HeaderTooLong { .. } => "weights_header_too_long",
            Self::HeaderForm(_) => "weights_header_form",
            Self::DuplicateKey(_) => "weights_duplicate_key",
            Self::TensorUnknown(_) => "tensor_unknown",
            Self::TensorMissing(_) => "tensor_missing",
            Self::TensorDtype { .. } => "tensor_dtype",
            Self::TensorShape { .. } => "tensor_shape",
            Self::TensorOffsets { .. } => "tensor_offsets",
            Self::DataSize { .. } => "weights_data_size",
            Self::NonFinite { .. } => "weight_not_finite",
        }
    }

    /// Where it is: a file, a field of the configuration, a tensor, a weight.
    pub fn place(&self) -> String {
        match self {
            Self::ConfigTooLong { .. }
            | Self::ConfigForm(_)
            | Self::TooManyParameters { .. }
            | Self::TooManyMultiplyAdds { .. } => CONFIG_FILE.to_owned(),
            Self::ConfigValue { field, .. } => format!("{CONFIG_FILE}/{field}"),
            Self::FileTooLong { .. }
            | Self::Truncated { .. }
            | Self::HeaderTooLong { .. }
            | Self::HeaderForm(_)
            | Self::DataSize { .. } => WEIGHTS_FILE.to_owned(),
            Self::DuplicateKey(name)
            | Self::TensorUnknown(name)
            | Self::TensorMissing(name)
            | Self::TensorDtype { name, .. }
            | Self::TensorShape { name, .. }
            | Self::TensorOffsets { name, .. } => format!("{WEIGHTS_FILE}/{name}"),
            Self::NonFinite { name, index } => format!("{WEIGHTS_FILE}/{name}/{index}"),
        }
    }
}

/// The first characters of a text from outside, so that an error stays short, and
/// with U+FFFD for those that would steer a terminal or cannot be seen.
///
/// Places that are attested go through `protocol`'s `Text::lossy`, which replaces the
/// same ones: what is attested does not depend on this.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let shown = |c| if is_deceptive(c) { '\u{fffd}' } else { c };
    text.chars().take(CHARACTERS_MAX).map(shown).collect()
}

/// As `protocol::text` has it; this crate depends on none of ours, a test of `miner` compares the two.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_steers_no_terminal() {
        assert_eq!(
            excerpt("a\u{1b}[2J\n\u{202e}ä"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}ä"
        );
        assert_eq!(excerpt(&"ä".repeat(100)), "ä".repeat(80));
    }
}
