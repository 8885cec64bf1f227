//! Parses the header of one GGUF file: metadata, and where each tensor lies.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::alignment;
use super::foreign;
use super::tensor_info::TensorInfo;
use super::tensor_type::TensorType;
use super::type_names::type_name;
use super::value::{Metadata, Value};
use crate::{Error, Result};

/// A longer string in a header is taken for corruption.
const MAX_STRING: u64 = 16 << 20;
/// More metadata values than this, array items counted singly, are taken for
/// corruption; a Qwen3 vocabulary has about half a million. In memory a value
/// takes many times the byte that it may take in the file.
const MAX_VALUES: u64 = 4 << 20;
/// More tensors than this are taken for corruption.
const MAX_TENSORS: u64 = 1 << 16;
/// The most dimensions that a tensor has in ggml.
const MAX_DIMENSIONS: u32 = 4;
/// Arrays in arrays deeper than this are taken for corruption.
const MAX_DEPTH: u32 = 2;
/// Bytes asked from the source at once while the header is parsed.
const BUFFER: usize = 1 << 16;

/// The checked header of one file.
pub struct Header {
    /// All metadata.
    pub metadata: Metadata,
    /// All tensors by name; offsets are from the start of the file.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// Size of the file in bytes.
    pub size: u64,
}

impl Header {
    /// Reads and checks the header of a GGUF file, version 2 or 3.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for a foreign, truncated or corrupt header,
    /// [`Error::UnsupportedModel`] for tensor types that are not read here,
    /// [`Error::Io`] if the source fails.
    pub fn read<R: Read + Seek>(source: &mut R) -> Result<Self> {
        let size = source.seek(SeekFrom::End(0)).map_err(|e| Error::io("model file", e))?;
        source.rewind().map_err(|e| Error::io("model file", e))?;
        let source = BufReader::with_capacity(BUFFER, source);
        let mut parser = Parser { source, size, position: 0, values: 0 };
        let (tensor_count, value_count) = parser.preamble()?;
        let metadata = parser.metadata(value_count)?;
        let tensors = parser.tensors(tensor_count, alignment::of(&metadata)?)?;
        Ok(Self { metadata, tensors, size })
    }
}

/// Tensors that share bytes are corrupt, and could make a small file a huge model.
fn refuse_overlaps(tensors: &BTreeMap<String, TensorInfo>) -> Result<()> {
    let mut places: Vec<_> =
        tensors.iter().map(|(name, info)| (info.offset, info.offset + info.size, name)).collect();
    places.sort();
    for pair in places.windows(2) {
        let ((_, end, first), (start, _, second)) = (pair[0], pair[1]);
        if start < end {
            return Err(Error::model(second, format!("its data overlaps that of {first}")));
        }
    }
    Ok(())
}

/// Reads a header from its start; keeps its position so that errors can name it.
struct Parser<R> {
    source: BufReader<R>,
    size: u64,
    position: u64,
    /// Metadata values seen so far.
    values: u64,
}

impl<R: Read> Parser<R> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::model(format!("byte {}", self.position), reason)
    }

    /// Fails unless `count` items of at least `each` bytes can still follow.
    fn expect(&self, count: u64, each: u64, what: &str) -> Result<()> {
        match count.checked_mul(each) {
            Some(bytes) if bytes <= self.size - self.position => Ok(()),
            _ => Err(self.error(format!(
                "claims {count} {what}, but only {} bytes follow: the file is truncated or corrupt",
                self.size - self.position
            ))),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.expect(N as u64, 1, "bytes")?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|e| Error::io("model file", e))?;
        self.position += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// A name or key, which must be UTF-8.
    fn string(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| self.error("a text is not UTF-8"))
    }

    /// A string value: descriptions may hold any bytes; what is looked up is checked then.
    fn string_value(&mut self) -> Result<Value> {
        Ok(match String::from_utf8(self.bytes()?) {
            Ok(text) => Value::String(text),
            Err(error) => Value::Bytes(error.into_bytes()),
        })
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let length = self.u64()?;
        self.expect(length, 1, "bytes of text")?;
        if length > MAX_STRING {
            return Err(self.error(format!("a text of {length} bytes; at most {MAX_STRING}")));
        }
        let mut bytes = vec![0; length as usize];
        self.source.read_exact(&mut bytes).map_err(|e| Error::io("model file", e))?;
        self.position += length;
        Ok(bytes)
    }

    /// Magic, version and the two counts.
    fn preamble(&mut self) -> Result<(u64, u64)> {
        if self.size == 0 {
            return Err(self.error("the file is empty"));
        }
        let start = self.source.fill_buf().map_err(|e| Error::io("model file", e))?;
        let start = &start[..start.len().min(foreign::START)];
        if !start.starts_with(b"GGUF") {
            let reason = match foreign::describe(start, self.size) {
                Some(kind) => format!("not a GGUF file but {kind}"),
                None => "not a GGUF file: it does not start with the letters GGUF".to_string(),
            };
            return Err(self.error(reason));
        }
        self.take::<4>()?;
        match self.u32()? {
            2 | 3 => {}
            version if (1..=3).contains(&version.swap_bytes()) => {
                return Err(Error::UnsupportedModel("a big-endian GGUF file".into()));
            }
            version => {
                let reason = format!("GGUF version {version}; 2 and 3 are read");
                return Err(Error::UnsupportedModel(reason));
            }
        }
        let tensors = self.u64()?;
        let values = self.u64()?;
        // A tensor takes at least 24 header bytes, a metadata entry at least 13.
        self.expect(tensors, 24, "tensors")?;
        if tensors > MAX_TENSORS {
            return Err(self.error(format!("claims {tensors} tensors; at most {MAX_TENSORS}")));
        }
        self.expect(values, 13, "metadata entries")?;
        self.count_values(values)?;
        Ok((tensors, values))
    }

    fn count_values(&mut self, more: u64) -> Result<()> {
        self.values = self.values.saturating_add(more);
        if self.values > MAX_VALUES {
            return Err(self.error(format!("more than {MAX_VALUES} metadata values")));
        }
        Ok(())
    }

    fn metadata(&mut self, count: u64) -> Result<Metadata> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = self.string()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0).map_err(|error| match error {
                Error::InvalidModel { place, reason } => {
                    Error::model(format!("{key} ({place})"), reason)
                }
                other => other,
            })?;
            if values.insert(key.clone(), value).is_some() {
                return Err(Error::model(key, "the key stands twice in the metadata"));
            }
        }
        Ok(Metadata(values))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value> {
        Ok(match kind {
            0 => Value::U8(self.take::<1>()?[0]),
            1 => Value::I8(i8::from_le_bytes(self.take()?)),
            2 => Value::U16(u16::from_le_bytes(self.take()?)),
            3 => Value::I16(i16::from_le_bytes(self.take()?)),
            4 => Value::U32(self.u32()?),
            5 => Value::I32(i32::from_le_bytes(self.take()?)),
            6 => Value::F32(f32::from_le_bytes(self.take()?)),
            7 => Value::Bool(self.take::<1>()?[0] != 0),
            8 => self.string_value()?,
            9 if depth < MAX_DEPTH => self.array(depth)?,
            10 => Value::U64(self.u64()?),
            11 => Value::I64(i64::from_le_bytes(self.take()?)),
            12 => Value::F64(f64::from_le_bytes(self.take()?)),
            9 => return Err(self.error("arrays are nested too deeply")),
            other => return Err(self.error(format!("unknown metadata type {other}"))),
        })
    }

    fn array(&mut self, depth: u32) -> Result<Value> {
        let kind = self.u32()?;
        let count = self.u64()?;
        let smallest = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            9 => 12,
            _ => 8,
        };
        self.expect(count, smallest, "array items")?;
        self.count_values(count)?;
        let mut items = Vec::with_capacity(count as usize);
        for _ in 0..count {
            items.push(self.value(kind, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn tensors(&mut self, count: u64, alignment: u64) -> Result<BTreeMap<String, TensorInfo>> {
        let mut tensors = BTreeMap::new();
        for _ in 0..count {
            let (name, info) = self.tensor_info()?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(Error::model(name, "the tensor stands twice in the file"));
            }
        }
        let start = self.position.next_multiple_of(alignment);
        for (name, info) in &mut tensors {
            if info.offset % alignment != 0 {
                let reason = format!("its offset {} is not aligned to {alignment}", info.offset);
                return Err(Error::model(name, reason));
            }
            let end = start.checked_add(info.offset).and_then(|at| at.checked_add(info.size));
            if end.is_none_or(|end| end > self.size) {
                let reason = format!(
                    "its {} bytes at offset {} lie past the end of the file ({} bytes): the file is truncated",
                    info.size, info.offset, self.size
                );
                return Err(Error::model(name, reason));
            }
            info.offset += start;
        }
        refuse_overlaps(&tensors)?;
        Ok(tensors)
    }

    /// One tensor's entry; its offset is still relative to the data.
    fn tensor_info(&mut self) -> Result<(String, TensorInfo)> {
        let name = self.string()?;
        let rank = self.u32()?;
        if rank == 0 || rank > MAX_DIMENSIONS {
            let reason = format!("has {rank} dimensions; 1 to {MAX_DIMENSIONS} are read");
            return Err(Error::model(name, reason));
        }
        let mut dims = Vec::new();
        let mut elements: u64 = 1;
        for _ in 0..rank {
            let dim = self.u64()?;
            if dim == 0 {
                return Err(Error::model(name, "has a dimension of 0, which cannot be"));
            }
            elements = elements
                .checked_mul(dim)
                .ok_or_else(|| Error::model(&name, "has more values than any file"))?;
            dims.push(usize::try_from(dim).map_err(|_| {
                Error::model(&name, format!("a dimension of {dim} is larger than memory"))
            })?);
        }
        let id = self.u32()?;
        let dtype = TensorType::from_id(id).ok_or_else(|| {
            let kind = type_name(id);
            Error::UnsupportedModel(format!("{name} is of type {kind}, which is not read here"))
        })?;
        // The file gives the innermost dimension, along which blocks lie, first.
        if dims[0] % dtype.block_size() != 0 {
            let reason = format!("rows of {} values are not whole blocks of {dtype:?}", dims[0]);
            return Err(Error::model(name, reason));
        }
        while dims.len() > 1 && dims.last() == Some(&1) {
            dims.pop();
        }
        dims.reverse();
        let blocks = elements / dtype.block_size() as u64;
        let size = blocks
            .checked_mul(dtype.block_bytes() as u64)
            .ok_or_else(|| Error::model(&name, "is larger than any file"))?;
        let offset = self.u64()?;
        Ok((name, TensorInfo { dims, dtype, file: 0, offset, size }))
    }
}
