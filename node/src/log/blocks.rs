//! Reading blocks back, one after the other.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};

use super::frame::{self, FRAME_HEAD_BYTES, FrameFlaw};
use super::{LogError, LogView};

/// The blocks of a log, one after the other.
#[derive(Debug)]
pub struct Blocks<'a> {
    log: &'a LogView,
    next: u64,
    /// The open segment, and where its next frame begins.
    place: Option<(usize, BufReader<File>, u64)>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(log: &'a LogView, from: u64) -> Self {
        Self {
            log,
            next: from,
            place: None,
        }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<(u64, Vec<u8>), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.log.height {
            return None;
        }
        let height = self.next;
        let result = self.read_next(height);
        self.next = match result {
            Ok(_) => height + 1,
            Err(_) => u64::MAX,
        };
        Some(result.map(|body| (height, body)))
    }
}

impl Blocks<'_> {
    fn read_next(&mut self, height: u64) -> Result<Vec<u8>, LogError> {
        let (segment, mut reader, offset) = match self.place.take() {
            Some((segment, reader, offset)) if !self.begins_segment(segment + 1, height) => {
                (segment, reader, offset)
            }
            _ => self.seek(height)?,
        };
        let path = &self.log.segments[segment].path;
        let flaw = match frame::read(&mut reader).map_err(LogError::io(path))? {
            Ok(Some(body)) => {
                let end = offset + (FRAME_HEAD_BYTES + body.len()) as u64;
                self.place = Some((segment, reader, end));
                return Ok(body);
            }
            Ok(None) => FrameFlaw::Head(0),
            Err(flaw) => flaw,
        };
        Err(LogError::Damaged {
            path: path.clone(),
            offset,
            height,
            flaw,
            later: None,
        })
    }

    fn begins_segment(&self, segment: usize, height: u64) -> bool {
        self.log
            .segments
            .get(segment)
            .is_some_and(|segment| segment.first == height)
    }

    /// Opens the segment of a block and goes to its frame.
    fn seek(&self, height: u64) -> Result<(usize, BufReader<File>, u64), LogError> {
        let mark = self.log.mark_before(height);
        let path = &self.log.segments[mark.segment].path;
        let place = || -> io::Result<(BufReader<File>, u64)> {
            let mut reader = BufReader::new(File::open(path)?);
            reader.seek(SeekFrom::Start(mark.offset))?;
            for _ in mark.height..height {
                frame::skip(&mut reader)?;
            }
            let offset = reader.stream_position()?;
            Ok((reader, offset))
        };
        let (reader, offset) = place().map_err(LogError::io(path))?;
        Ok((mark.segment, reader, offset))
    }
}
