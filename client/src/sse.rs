//! Server-sent events, as bytes come in: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//!
//! Lines end with LF, CRLF or CR. `data` lines of one event are joined with LF; an empty line ends
//! an event; a line that begins with a colon is a comment. Stricter than the standard: a stream is UTF-8
//! without a byte order mark, and lines and events have a longest length.

/// The most bytes of one line, and of one event's data: 16 MiB.
pub const EVENT_BYTES_MAX: usize = 16 << 20;
/// The most bytes of an event's id or name.
pub const FIELD_BYTES_MAX: usize = 256;

/// An event as it stands in the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The last id that the stream gave, with this event or before it.
    pub(crate) id: Option<String>,
    /// The event's name; empty: none was given.
    pub(crate) event: String,
    /// The data lines, joined with LF.
    pub(crate) data: String,
}

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    #[error("a line of the stream has more than {EVENT_BYTES_MAX} bytes")]
    LongLine,
    #[error("an event of the stream has more than {EVENT_BYTES_MAX} bytes")]
    LongEvent,
    #[error("an id or name in the stream has more than {FIELD_BYTES_MAX} bytes")]
    LongField,
    #[error("the stream is not UTF-8")]
    NotUtf8,
    #[error("the stream begins with a byte order mark")]
    ByteOrderMark,
}

/// Takes bytes as they come, gives events as they end.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    line: Vec<u8>,
    /// A line has ended.
    has_begun: bool,
    /// The byte before was CR: an LF now belongs to it.
    after_cr: bool,
    /// The last id of an event that has ended, with data or without.
    last_id: Option<String>,
    /// That of the event that comes in.
    id: Option<String>,
    event: String,
    data: String,
    has_data: bool,
}

impl SseParser {
    /// The next bytes of the stream; whole events go into `frames`.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), SseError> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let taken = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + taken.len() > EVENT_BYTES_MAX {
                return Err(SseError::LongLine);
            }
            self.line.extend_from_slice(taken);
            let Some(end) = end else {
                return Ok(());
            };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            frames.extend(self.end_line(&line)?);
        }
        Ok(())
    }

    /// The last id that the stream gave, though no event may have come with it. An event that has not ended yet may
    /// never come: its id is not given.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn end_line(&mut self, line: &[u8]) -> Result<Option<Frame>, SseError> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let line = std::str::from_utf8(line).map_err(|_| SseError::NotUtf8)?;
        if is_first && line.starts_with('\u{feff}') {
            return Err(SseError::ByteOrderMark);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.data.len() + value.len() >= EVENT_BYTES_MAX {
                    return Err(SseError::LongEvent);
                }
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            "event" | "id" if value.len() > FIELD_BYTES_MAX => return Err(SseError::LongField),
            "event" => self.event = value.to_owned(),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment (its field is empty), "retry", or something newer.
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Option<Frame> {
        if let Some(id) = self.id.take() {
            self.last_id = Some(id);
        }
        let frame = Frame {
            id: self.last_id.clone(),
            event: std::mem::take(&mut self.event),
            data: std::mem::take(&mut self.data),
        };
        std::mem::take(&mut self.has_data).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Result<Vec<Frame>, SseError> {
        let (mut parser, mut frames) = (SseParser::default(), Vec::new());
        for part in parts {
            parser.push(part, &mut frames)?;
        }
        Ok(frames)
    }

    fn frame(id: &str, event: &str, data: &str) -> Frame {
        Frame {
            id: (!id.is_empty()).then(|| id.to_owned()),
            event: event.to_owned(),
            data: data.to_owned(),
        }
    }

    fn check(stream: &str, expected: &[Frame]) {
        assert_eq!(
            read(&[stream.as_bytes()]).as_deref(),
            Ok(expected),
            "{stream:?}"
        );
    }

    #[test]
    fn an_event_has_an_id_a_name_and_lines_of_data() {
        check(
            "id: 3.0\nevent: block\ndata: {}\n\n",
            &[frame("3.0", "block", "{}")],
        );
        check("data: a\ndata:\ndata:  b\n\n", &[frame("", "", "a\n\n b")]);
        check("data\n\n", &[frame("", "", "")]);
    }

    #[test]
    fn comments_and_unknown_fields_are_skipped() {
        check(
            ":\n: hello\n\nretry: 5\nfuture: x\ndata: a\n\n",
            &[frame("", "", "a")],
        );
    }

    #[test]
    fn an_event_without_data_is_none_but_its_id_holds() {
        check(
            "id: 1.0\nevent: block\n\ndata: a\n\n",
            &[frame("1.0", "", "a")],
        );
        check(
            "id: 1.0\ndata: a\n\ndata: b\n\n",
            &[frame("1.0", "", "a"), frame("1.0", "", "b")],
        );
    }

    #[test]
    fn an_id_is_the_last_one_only_when_its_event_has_ended() {
        let mut parser = SseParser::default();
        let mut last_id = |part: &str| {
            let mut frames = Vec::new();
            parser.push(part.as_bytes(), &mut frames).unwrap();
            (frames.len(), parser.last_id().map(str::to_owned))
        };
        assert_eq!(
            last_id("id: 1.0\ndata: a\n\nid: 1.1\n"),
            (1, Some("1.0".into()))
        );
        assert_eq!(last_id("data: b\n"), (0, Some("1.0".into())));
        assert_eq!(last_id("\nid: 1.2\n"), (1, Some("1.1".into())));
        // Without data it is where the stream stands.
        assert_eq!(last_id("\n"), (0, Some("1.2".into())));
    }

    #[test]
    fn a_stream_begins_with_no_byte_order_mark() {
        let mark = "\u{feff}data: a\n\n".as_bytes();
        assert_eq!(read(&[mark]), Err(SseError::ByteOrderMark));
        let parts: Vec<&[u8]> = mark.chunks(1).collect();
        assert_eq!(read(&parts), Err(SseError::ByteOrderMark));
        // Later it is a character like any other, of a field that nobody knows.
        check("\n\u{feff}data: a\n\ndata: b\n\n", &[frame("", "", "b")]);
    }

    #[test]
    fn an_event_that_is_cut_off_is_none() {
        check("data: a\n", &[]);
        check("data: a", &[]);
    }

    #[test]
    fn lines_may_end_in_three_ways_and_the_stream_be_split_anywhere() {
        let lines = [
            "id: 1.2",
            "event: entry",
            "data: {\"a\":1,",
            "data: \"ü\":2}",
            "",
            ": ping",
            "",
            "data: b",
            "",
            "",
        ];
        let expected = [
            frame("1.2", "entry", "{\"a\":1,\n\"ü\":2}"),
            frame("1.2", "", "b"),
        ];
        for end in ["\n", "\r\n", "\r"] {
            let stream = lines.join(end);
            for at in 0..=stream.len() {
                let (left, right) = stream.as_bytes().split_at(at);
                assert_eq!(
                    read(&[left, right]).as_deref(),
                    Ok(&expected[..]),
                    "{end:?} {at}"
                );
            }
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(read(&bytes).as_deref(), Ok(&expected[..]));
        }
    }

    #[test]
    fn a_stream_cannot_fill_the_memory() {
        let block = vec![b'x'; 1 << 20];
        let (mut parser, mut frames) = (SseParser::default(), Vec::new());
        let mut push_all = |line: &[u8]| (0..20).try_for_each(|_| parser.push(line, &mut frames));
        assert_eq!(push_all(&block), Err(SseError::LongLine));

        let line = [b"data: ".as_slice(), &block, b"\n"].concat();
        let (mut parser, mut frames) = (SseParser::default(), Vec::new());
        let mut push_all = |line: &[u8]| (0..20).try_for_each(|_| parser.push(line, &mut frames));
        assert_eq!(push_all(&line), Err(SseError::LongEvent));

        let long = format!("id: {}\n", "9".repeat(FIELD_BYTES_MAX + 1));
        assert_eq!(read(&[long.as_bytes()]), Err(SseError::LongField));
        assert_eq!(read(&[b"data: \xff\n"]), Err(SseError::NotUtf8));
    }
}
