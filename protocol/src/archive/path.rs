//! Paths of files in an archive: such that they unpack on every common system.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Most bytes of a path: half of what macOS takes with the folders above it.
pub const PATH_BYTES_MAX: usize = 512;
/// Most bytes of one component of a path; eCryptfs takes 143.
pub const COMPONENT_BYTES_MAX: usize = 128;
/// Most components of a path.
pub const DEPTH_MAX: usize = 16;

/// Characters that some common file system refuses in a name, beside '/' and control characters.
const FORBIDDEN: &[char] = &['\\', ':', '*', '?', '"', '<', '>', '|'];

/// Why a text is not an archive path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is empty.
    #[error("the path is empty")]
    Empty,
    /// The path is longer than [`PATH_BYTES_MAX`].
    #[error("the path has {0} bytes, and it has at most {PATH_BYTES_MAX}")]
    TooLong(usize),
    /// The path begins with '/'.
    #[error("the path is absolute")]
    Absolute,
    /// The path has more than [`DEPTH_MAX`] components.
    #[error("the path has more than {DEPTH_MAX} components")]
    TooDeep,
    /// A component is empty: two '/' in a row, or one at the end.
    #[error("the path has an empty component")]
    EmptyComponent,
    /// A component is "." or "..".
    #[error("the path has a component \".\" or \"..\"")]
    DotComponent,
    /// A component is longer than [`COMPONENT_BYTES_MAX`].
    #[error("a component has {0} bytes, and it has at most {COMPONENT_BYTES_MAX}")]
    ComponentTooLong(usize),
    /// A character that is not ASCII: some file systems take two spellings of it for one name.
    #[error(
        "a character of the path is not ASCII; what others are one name is not the same on every disk"
    )]
    NotAscii,
    /// A control character, or one that some common file system refuses.
    #[error("the path has the character {0:?}, which cannot stand in a file name everywhere")]
    Character(char),
    /// A component ends with '.' or a space.
    #[error("a component ends with '.' or a space, which Windows drops")]
    TrailingDotOrSpace,
    /// A component is as Windows shortens a longer name, which it may be taken for: `LONGFI~1.CSV`.
    #[error("a component has '~' before a digit, as names have that Windows has shortened")]
    ShortName,
    /// A component is a device name of Windows, such as "con" or "com1.txt".
    #[error("a component is the name of a Windows device")]
    DeviceName,
}

/// The path of a file in an archive: relative, ASCII, '/' between components, and
/// such that it can be unpacked on every common system.
///
/// Ordered by components with ASCII capitals as small letters, then by bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArchivePath(String);

impl ArchivePath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// The path is not relative, not ASCII, too long or deep, or a component of it
    /// is not a file name everywhere.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong(text.len()));
        }
        if !text.is_ascii() {
            return Err(PathError::NotAscii);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.split('/').count() > DEPTH_MAX {
            return Err(PathError::TooDeep);
        }
        text.split('/').try_for_each(check_component)?;
        Ok(Self(text.to_owned()))
    }

    /// The path, with '/' between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, the outermost folder first.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Bytes that compare as paths do: no component has a byte below '/' that
    /// stands for something else than itself once '/' is the lowest of all.
    fn order_key(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| match byte {
            b'/' => 0,
            byte => byte.to_ascii_lowercase(),
        })
    }

    /// Why `next`, which is greater, may not follow this path in an archive.
    pub(super) fn conflict(&self, next: &Self) -> Option<Conflict> {
        let (mut ours, mut theirs) = (self.components(), next.components());
        loop {
            match (ours.next(), theirs.next()) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => return Some(Conflict::Case),
                (None, Some(_)) => return Some(Conflict::FileIsFolder),
                _ => return None,
            }
        }
    }
}

/// Why two paths cannot stand in one archive.
pub(super) enum Conflict {
    /// They, or folders of theirs, differ only by the case of ASCII letters.
    Case,
    /// The first is a file and the folder of the second.
    FileIsFolder,
}

fn check_component(component: &str) -> Result<(), PathError> {
    if component.is_empty() {
        return Err(PathError::EmptyComponent);
    }
    if component == "." || component == ".." {
        return Err(PathError::DotComponent);
    }
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(PathError::ComponentTooLong(component.len()));
    }
    if let Some(found) = component
        .chars()
        .find(|c| c.is_control() || FORBIDDEN.contains(c))
    {
        return Err(PathError::Character(found));
    }
    if component.ends_with(['.', ' ']) {
        return Err(PathError::TrailingDotOrSpace);
    }
    if is_device_name(component) {
        return Err(PathError::DeviceName);
    }
    if component
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'~' && pair[1].is_ascii_digit())
    {
        return Err(PathError::ShortName);
    }
    Ok(())
}

/// Windows reserves these names with any extension and in any case.
fn is_device_name(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component);
    let stem = stem.trim_end_matches(' ').to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" => true,
        stem => ["com", "lpt"].iter().any(|port| {
            let mut digits = stem.strip_prefix(port).unwrap_or_default().chars();
            digits.next().is_some_and(|c| c.is_ascii_digit()) && digits.next().is_none()
        }),
    }
}

impl Ord for ArchivePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order_key()
            .cmp(other.order_key())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ArchivePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ArchivePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}
