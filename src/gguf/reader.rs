//! Reads a model's header, then single tensors on demand.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::header::Header;
use super::shards;
use super::tensor_info::TensorInfo;
use super::value::Metadata;
use crate::{Error, Result};

/// A GGUF model whose header has been read and checked: one file, or the files of a split model.
pub struct Reader<R> {
    sources: Vec<R>,
    /// All metadata; of a split model, that of its first file, `split.*` left out.
    pub metadata: Metadata,
    /// All tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// Size of the file in bytes, or of all files together.
    pub size: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads and checks the header of a GGUF file, version 2 or 3.
    ///
    /// # Errors
    /// As [`Reader::from_shards`].
    pub fn new(source: R) -> Result<Self> {
        Self::from_shards(vec![source])
    }

    /// Reads and checks the headers of all files of a split model, given in any order.
    /// A model in one file is a split of one.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for a foreign, truncated or corrupt header, and for files that are
    /// not one whole model together; [`Error::UnsupportedModel`] for tensor types that are not
    /// read here; [`Error::Io`] if a source fails.
    pub fn from_shards(mut sources: Vec<R>) -> Result<Self> {
        let count = sources.len();
        let read = |(index, source): (usize, &mut R)| {
            Header::read(source).map_err(|error| shards::in_file(error, index, count))
        };
        let headers = sources.iter_mut().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        let Header { metadata, tensors, size } = shards::merge(headers)?;
        Ok(Self { sources, metadata, tensors, size })
    }

    /// The header's entry for `name`.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if there is none.
    pub fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors.get(name).ok_or_else(|| Error::model(name, "the tensor is missing"))
    }

    /// Reads `length` bytes of a tensor's data from `start` on.
    ///
    /// # Errors
    /// As [`Reader::info`], and [`Error::Io`] if the source fails.
    ///
    /// # Panics
    /// If the range does not lie within the tensor.
    pub fn bytes(&mut self, name: &str, start: u64, length: usize) -> Result<Vec<u8>> {
        let info = self.info(name)?;
        assert!(start + length as u64 <= info.size, "range lies within the tensor");
        let (offset, file) = (info.offset + start, info.file);
        let mut data = Vec::new();
        data.try_reserve_exact(length).map_err(|_| {
            Error::UnsupportedModel(format!("{name} takes {length} bytes, more than memory holds"))
        })?;
        data.resize(length, 0);
        let source = &mut self.sources[file];
        source.seek(SeekFrom::Start(offset)).map_err(|e| Error::io(name, e))?;
        source.read_exact(&mut data).map_err(|e| Error::io(name, e))?;
        Ok(data)
    }

    /// Reads one tensor's blocks into memory.
    ///
    /// # Errors
    /// As [`Reader::bytes`], and [`Error::InvalidModel`] if a value is not finite.
    pub fn blocks(&mut self, name: &str) -> Result<Vec<u8>> {
        let size = usize::try_from(self.info(name)?.size)
            .map_err(|_| Error::UnsupportedModel(format!("{name} is larger than memory")))?;
        let blocks = self.bytes(name, 0, size)?;
        match self.info(name)?.dtype.are_finite(&blocks) {
            true => Ok(blocks),
            false => Err(Error::model(name, "holds values that are not finite")),
        }
    }
}
