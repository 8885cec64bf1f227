//! A Blob or File as a byte source (`Read + Seek`), read by slices.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, FileReaderSync};

/// Bytes that a small read fetches: the many small reads of a header then share one slice.
const READ_AHEAD: u64 = 1 << 20;

/// Longest slice of a large read, in bytes; JavaScript and WebAssembly each hold it until it is copied.
const MAX_SLICE: u64 = 4 << 20;

/// A Blob or File as a byte source, read by slices and never whole.
pub(super) struct BlobSource {
    blob: Blob,
    reader: FileReaderSync,
    length: u64,
    position: u64,
    buffered: Vec<u8>,
    buffer_start: u64,
}

impl BlobSource {
    pub(super) fn open(blob: Blob) -> io::Result<Self> {
        let reader = FileReaderSync::new().map_err(io_error)?;
        let length = blob.size() as u64;
        Ok(Self { blob, reader, length, position: 0, buffered: Vec::new(), buffer_start: 0 })
    }

    fn slice(&self, start: u64, length: u64) -> io::Result<Uint8Array> {
        let end = (start + length) as f64;
        let part = self.blob.slice_with_f64_and_f64(start as f64, end).map_err(io_error)?;
        let bytes =
            Uint8Array::new(&self.reader.read_as_array_buffer(&part).map_err(io_error)?.into());
        if u64::from(bytes.length()) != length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has changed"));
        }
        Ok(bytes)
    }

    /// Buffered bytes from the current position on; empty if there are none.
    fn ahead(&self) -> &[u8] {
        let skip = self.position.checked_sub(self.buffer_start);
        skip.and_then(|skip| self.buffered.get(usize::try_from(skip).ok()?..)).unwrap_or(&[])
    }
}

impl Read for BlobSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        if buffer.is_empty() || left == 0 {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            let wanted = (buffer.len() as u64).min(left);
            if wanted >= READ_AHEAD {
                let bytes = self.slice(self.position, wanted.min(MAX_SLICE))?;
                let read = bytes.length() as usize;
                bytes.copy_to(&mut buffer[..read]);
                self.position += read as u64;
                return Ok(read);
            }
            self.buffered = self.slice(self.position, left.min(READ_AHEAD))?.to_vec();
            self.buffer_start = self.position;
        }
        let ahead = self.ahead();
        let read = ahead.len().min(buffer.len());
        buffer[..read].copy_from_slice(&ahead[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for BlobSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek before the start of the file")
        })?;
        Ok(self.position)
    }
}

fn io_error(thrown: JsValue) -> io::Error {
    let message = match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{thrown:?}"),
    };
    io::Error::other(message)
}
