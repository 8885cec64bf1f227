//! Writes a GGUF file tensor by tensor, in pieces of any length, so that no
//! tensor has to fit in memory.

use std::io::Write;

use super::alignment::DEFAULT_ALIGNMENT;
use super::tensor_type::TensorType;
use super::value::Value;
use crate::{Error, Result};

/// The version of the format that is written.
const VERSION: u32 = 3;
/// The format's number for arrays of strings, also given to arrays without items.
const STRING: u32 = 8;

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorPlan {
    /// Its name, unique in the file.
    pub name: String,
    /// Sizes from the outermost to the innermost: `[rows, columns]` for a matrix.
    pub dims: Vec<usize>,
    /// How its values will be stored.
    pub dtype: TensorType,
}

impl TensorPlan {
    /// Length of a row, along which blocks lie.
    pub fn columns(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }

    /// How many rows there are; 1 for a vector.
    pub fn rows(&self) -> usize {
        self.dims.iter().rev().skip(1).product()
    }

    /// Length of its data in bytes.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if a row is not a whole number of blocks.
    pub fn size(&self) -> Result<u64> {
        let (columns, block) = (self.columns(), self.dtype.block_size());
        if columns % block != 0 || columns == 0 {
            let reason = format!("rows of {columns} values are not whole blocks of {block}");
            return Err(Error::model(&self.name, reason));
        }
        Ok(self.rows() as u64 * (columns / block) as u64 * self.dtype.block_bytes() as u64)
    }
}

/// A GGUF file being written: the header at once, then tensor data in the
/// order of the plans.
pub struct Writer<W> {
    sink: W,
    /// Names and sizes of all tensors.
    tensors: Vec<(String, u64)>,
    /// The tensor being written.
    current: usize,
    /// Bytes of it that have been written.
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header: `metadata` in the order given, then the places of all `tensors`.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for a name or key given twice, an array of
    /// mixed types, a tensor whose rows are not whole blocks, or an alignment
    /// other than [`DEFAULT_ALIGNMENT`]; [`Error::Io`] if the sink fails.
    pub fn new(mut sink: W, metadata: &[(String, Value)], tensors: &[TensorPlan]) -> Result<Self> {
        let (header, sizes) = header(metadata, tensors)?;
        sink.write_all(&header).map_err(|e| Error::io("GGUF header", e))?;
        let names = tensors.iter().map(|plan| plan.name.clone());
        Ok(Self { sink, tensors: names.zip(sizes).collect(), current: 0, written: 0 })
    }

    /// Writes the next piece of the data of tensor `name`.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if another tensor's turn has come, or if the
    /// piece is longer than what the tensor still lacks; [`Error::Io`] if the
    /// sink fails.
    pub fn append(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let Some((expected, size)) = self.tensors.get(self.current) else {
            return Err(Error::model(name, "was written after the last tensor"));
        };
        if name != expected {
            return Err(Error::model(name, format!("was written where {expected} comes next")));
        }
        let missing = size - self.written;
        if data.len() as u64 > missing {
            let reason = format!("{} bytes were written where {missing} are missing", data.len());
            return Err(Error::model(name, reason));
        }
        self.sink.write_all(data).map_err(|e| Error::io(name, e))?;
        self.written += data.len() as u64;
        if self.written == *size {
            let padding = vec![0; (size.next_multiple_of(DEFAULT_ALIGNMENT) - size) as usize];
            self.sink.write_all(&padding).map_err(|e| Error::io(name, e))?;
            self.current += 1;
            self.written = 0;
        }
        Ok(())
    }

    /// Ends the file and gives the sink back, flushed.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if a tensor is incomplete, [`Error::Io`] if the sink fails.
    pub fn finish(mut self) -> Result<W> {
        if let Some((name, size)) = self.tensors.get(self.current) {
            let reason = format!("has {} of its {size} bytes", self.written);
            return Err(Error::model(name, reason));
        }
        self.sink.flush().map_err(|e| Error::io("GGUF file", e))?;
        Ok(self.sink)
    }
}

/// The header up to where tensor data begins, and the size of each tensor.
fn header(metadata: &[(String, Value)], tensors: &[TensorPlan]) -> Result<(Vec<u8>, Vec<u64>)> {
    let keys = metadata.iter().map(|(key, _)| key);
    let mut names: Vec<_> = keys.chain(tensors.iter().map(|plan| &plan.name)).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::model(pair[0], "the name is given twice"));
    }
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        if key == "general.alignment" && *value != Value::U32(DEFAULT_ALIGNMENT as u32) {
            return Err(Error::model(key, format!("only {DEFAULT_ALIGNMENT} is written")));
        }
        put_bytes(&mut bytes, key.as_bytes());
        bytes.extend(value.type_id().to_le_bytes());
        put_value(&mut bytes, key, value)?;
    }
    let mut offset = 0u64;
    let mut sizes = Vec::with_capacity(tensors.len());
    for plan in tensors {
        put_bytes(&mut bytes, plan.name.as_bytes());
        bytes.extend((plan.dims.len() as u32).to_le_bytes());
        // The file gives the innermost dimension first.
        plan.dims.iter().rev().for_each(|&dim| bytes.extend((dim as u64).to_le_bytes()));
        bytes.extend(plan.dtype.id().to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        let size = plan.size()?;
        offset += size.next_multiple_of(DEFAULT_ALIGNMENT);
        sizes.push(size);
    }
    bytes.resize(bytes.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
    Ok((bytes, sizes))
}

fn put_bytes(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
}

fn put_value(bytes: &mut Vec<u8>, key: &str, value: &Value) -> Result<()> {
    match value {
        Value::U8(v) => bytes.push(*v),
        Value::I8(v) => bytes.extend(v.to_le_bytes()),
        Value::U16(v) => bytes.extend(v.to_le_bytes()),
        Value::I16(v) => bytes.extend(v.to_le_bytes()),
        Value::U32(v) => bytes.extend(v.to_le_bytes()),
        Value::I32(v) => bytes.extend(v.to_le_bytes()),
        Value::U64(v) => bytes.extend(v.to_le_bytes()),
        Value::I64(v) => bytes.extend(v.to_le_bytes()),
        Value::F32(v) => bytes.extend(v.to_le_bytes()),
        Value::F64(v) => bytes.extend(v.to_le_bytes()),
        Value::Bool(v) => bytes.push((*v).into()),
        Value::String(text) => put_bytes(bytes, text.as_bytes()),
        Value::Bytes(text) => put_bytes(bytes, text),
        Value::Array(items) => {
            let kind = items.first().map_or(STRING, Value::type_id);
            bytes.extend(kind.to_le_bytes());
            bytes.extend((items.len() as u64).to_le_bytes());
            for item in items {
                if item.type_id() != kind {
                    return Err(Error::model(key, "an array holds values of several types"));
                }
                put_value(bytes, key, item)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::reader::Reader;
    use super::*;

    fn plan(name: &str, dims: &[usize], dtype: TensorType) -> TensorPlan {
        TensorPlan { name: name.into(), dims: dims.to_vec(), dtype }
    }

    #[test]
    fn every_value_type_is_read_back() {
        let nested = Value::Array(vec![Value::Array(vec![Value::U8(1)]), Value::Array(vec![])]);
        let values = [
            Value::U8(1),
            Value::I8(-1),
            Value::U16(2),
            Value::I16(-2),
            Value::U32(3),
            Value::I32(-3),
            Value::U64(1 << 40),
            Value::I64(-4),
            Value::F32(0.5),
            Value::F64(-0.25),
            Value::Bool(true),
            Value::String("Ġé\0".into()),
            Value::Bytes(b"caf\xe9".to_vec()),
            Value::Array(vec![Value::I32(1), Value::I32(-1)]),
            Value::Array(vec![]),
            nested,
        ];
        let metadata: Vec<_> =
            values.into_iter().enumerate().map(|(i, value)| (format!("key.{i}"), value)).collect();
        let bytes = Writer::new(Vec::new(), &metadata, &[]).unwrap().finish().unwrap();
        let reader = Reader::new(Cursor::new(bytes)).unwrap();
        assert_eq!(reader.metadata.0, metadata.into_iter().collect());
    }

    #[test]
    fn tensors_of_every_type_are_read_back_in_any_pieces() {
        use TensorType::*;
        let types = [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K];
        let mut plans: Vec<_> =
            types.iter().map(|&t| plan(&format!("{t:?}"), &[3, 256], t)).collect();
        plans.push(plan("odd vector", &[7], F32));
        plans.push(plan("cube", &[2, 3, 5], F16));
        let mut writer = Writer::new(Vec::new(), &[], &plans).unwrap();
        let data = |plan: &TensorPlan| -> Vec<u8> {
            (0..plan.size().unwrap()).map(|i| (i * 31) as u8 ^ plan.name.len() as u8).collect()
        };
        for (i, plan) in plans.iter().enumerate() {
            data(plan).chunks(1 + 13 * i).for_each(|piece| {
                writer.append(&plan.name, piece).unwrap();
            });
        }
        let mut reader = Reader::new(Cursor::new(writer.finish().unwrap())).unwrap();
        for plan in &plans {
            let info = reader.info(&plan.name).unwrap().clone();
            assert_eq!((&info.dims, info.dtype), (&plan.dims, plan.dtype));
            assert_eq!(info.offset % DEFAULT_ALIGNMENT, 0);
            let read = reader.bytes(&plan.name, 0, info.size as usize).unwrap();
            assert_eq!(read, data(plan), "{}", plan.name);
        }
        assert_eq!(reader.size % DEFAULT_ALIGNMENT, 0);
    }

    #[test]
    fn wrong_order_or_length_is_refused() {
        let plans = [plan("a", &[4], TensorType::F32), plan("b", &[4], TensorType::F32)];
        let writer = || Writer::new(Vec::new(), &[], &plans).unwrap();
        let reason = |result: Result<()>| result.unwrap_err().to_string();
        assert!(reason(writer().append("b", &[0])).contains("where a comes next"));
        assert!(reason(writer().append("a", &[0; 17])).contains("where 16 are missing"));
        assert!(reason(writer().finish().map(drop)).contains("a: has 0 of its 16 bytes"));
        let mut complete = writer();
        complete.append("a", &[0; 16]).unwrap();
        complete.append("b", &[0; 16]).unwrap();
        assert!(reason(complete.append("c", &[])).contains("after the last tensor"));
    }

    #[test]
    fn headers_that_no_reader_would_take_are_refused() {
        let fails = |metadata: &[(String, Value)], plans: &[TensorPlan]| {
            Writer::new(Vec::new(), metadata, plans).map(drop).unwrap_err().to_string()
        };
        let twice = [plan("a", &[4], TensorType::F32), plan("a", &[4], TensorType::F32)];
        assert!(fails(&[], &twice).contains("given twice"));
        let odd = [plan("a", &[2, 33], TensorType::Q8_0)];
        assert!(fails(&[], &odd).contains("not whole blocks of 32"));
        let mixed = Value::Array(vec![Value::U8(1), Value::I8(1)]);
        assert!(fails(&[("k".into(), mixed)], &[]).contains("several types"));
        let aligned = [("general.alignment".into(), Value::U32(64))];
        assert!(fails(&aligned, &[]).contains("only 32"));
    }
}
