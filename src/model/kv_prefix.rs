//! Keys and values of the first tokens of prompts, kept on the device that computed them.

use std::sync::Arc;

use super::cpu::kv::LayerKeysValues;
use crate::kernel::KeysValues;

/// The first tokens of a prompt with their keys and values of every layer.
#[derive(Default)]
pub struct KvPrefix {
    ids: Vec<u32>,
    storage: Storage,
}

/// Where the keys and values are: opaque to all but the device's own code.
enum Storage {
    /// In host memory, by layer.
    Cpu(Vec<LayerKeysValues>),
}

impl Default for Storage {
    fn default() -> Self {
        Self::Cpu(Vec::new())
    }
}

/// The leading tokens of a prefix that a prompt begins with, maybe none.
#[derive(Clone, Default)]
pub struct PrefixHit {
    /// The prefix.
    pub prefix: Arc<KvPrefix>,
    /// How many of its tokens.
    pub tokens: usize,
}

impl KvPrefix {
    /// Of `ids` and, by layer, their keys and values in host memory.
    pub fn on_cpu(ids: Vec<u32>, layers: Vec<LayerKeysValues>) -> Self {
        Self { ids, storage: Storage::Cpu(layers) }
    }

    /// Its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Bytes of its keys and values.
    pub fn bytes(&self) -> usize {
        let Storage::Cpu(layers) = &self.storage;
        layers.iter().map(LayerKeysValues::bytes).sum()
    }

    /// A copy of its first `tokens` tokens.
    pub fn truncated(&self, tokens: usize) -> Self {
        let Storage::Cpu(layers) = &self.storage;
        let all = self.ids.len();
        let layers = layers.iter().map(|layer| layer.truncated(tokens, all)).collect();
        Self { ids: self.ids[..tokens].to_vec(), storage: Storage::Cpu(layers) }
    }
}

impl PrefixHit {
    /// All tokens of a prefix.
    pub fn whole(prefix: Arc<KvPrefix>) -> Self {
        Self { tokens: prefix.ids.len(), prefix }
    }

    /// Keys and values of a layer in host memory, `width` values a token each.
    pub(super) fn cpu_layer(&self, index: usize, width: usize) -> KeysValues<'_> {
        let Storage::Cpu(layers) = &self.prefix.storage;
        let layer = layers.get(index).map(|layer| layer.first(self.tokens * width));
        layer.unwrap_or(KeysValues { keys: &[], values: &[] })
    }

    /// The ids of its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.prefix.ids[..self.tokens]
    }

    /// Whether `other` is the same tokens of the same prefix, not merely of an equal one.
    pub fn is_same(&self, other: &Self) -> bool {
        self.tokens == other.tokens
            && (self.tokens == 0 || Arc::ptr_eq(&self.prefix, &other.prefix))
    }
}
