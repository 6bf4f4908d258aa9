//! The reader of a node's event stream: however its bytes arrive, the same events
//! come of them, or the same fault.
#![no_main]

// It is no part of what the crate shows to others.
#[path = "../../client/src/sse.rs"]
mod sse;

use libfuzzer_sys::fuzz_target;
use sse::{Frame, SseError, SseParser};

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else {
        return;
    };
    let whole = frames([bytes]);
    assert_eq!(frames(bytes.chunks(usize::from(cut) + 1)), whole);
    assert_eq!(frames(bytes.chunks(1)), whole);
});

/// The events of a stream, the last id, and what was wrong with it.
fn frames<'a>(
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<String>, Option<SseError>) {
    let mut parser = SseParser::default();
    let mut frames = Vec::new();
    for part in parts {
        if let Err(error) = parser.push(part, &mut frames) {
            return (frames, None, Some(error));
        }
    }
    (frames, parser.last_id().map(str::to_owned), None)
}
