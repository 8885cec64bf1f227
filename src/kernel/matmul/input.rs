//! Activations, prepared for the matrices that they are multiplied with.

use super::activations::{OffsetTerms, QuantizedActivations};
use super::dispatch;
use super::layout::QuantLayout;
use crate::kernel::isa::Isa;

/// Activations `[tokens, inputs]`, rounded where a matrix is quantized, with the terms of each layout.
pub struct Input<'a> {
    /// As they are; nothing if only rounded ones are used.
    pub x: &'a [f32],
    /// Tokens.
    pub tokens: usize,
    quantized: Option<QuantizedActivations>,
    terms: Vec<(QuantLayout, OffsetTerms)>,
}

impl<'a> Input<'a> {
    /// From x `[tokens, inputs]`, which is rounded if any matrix is quantized, that is, has a layout.
    pub fn new(isa: Isa, layouts: &[QuantLayout], x: &'a [f32], inputs: usize) -> Self {
        let is_quantized = !layouts.is_empty();
        let quantized = is_quantized.then(|| QuantizedActivations::quantize(isa, x, inputs));
        Self { x, tokens: x.len() / inputs, quantized, terms: Vec::new() }.prepare(isa, layouts)
    }

    /// From activations that are rounded already, for quantized matrices only.
    pub fn from_quantized(
        isa: Isa,
        layouts: &[QuantLayout],
        quantized: QuantizedActivations,
    ) -> Self {
        let tokens = quantized.tokens;
        Self { x: &[], tokens, quantized: Some(quantized), terms: Vec::new() }.prepare(isa, layouts)
    }

    /// Adds what the kernels for the layouts need.
    fn prepare(mut self, isa: Isa, layouts: &[QuantLayout]) -> Self {
        let Some(quantized) = &mut self.quantized else { return self };
        for &layout in layouts {
            let kernel = dispatch::kernel(isa, layout);
            if dispatch::needs_16_bits(kernel) {
                quantized.widen();
            }
            if !self.terms.iter().any(|(other, _)| *other == layout) {
                let terms = quantized.terms(isa, layout, dispatch::is_signed(kernel));
                self.terms.push((layout, terms));
            }
        }
        self
    }

    /// The rounded activations and the terms for one of the layouts.
    pub fn quantized(&self, layout: QuantLayout) -> (&QuantizedActivations, &OffsetTerms) {
        let terms = self.terms.iter().find(|(other, _)| *other == layout);
        match (&self.quantized, terms) {
            (Some(quantized), Some((_, terms))) => (quantized, terms),
            _ => unreachable!("each layout of the matrices has its terms: bug"),
        }
    }
}
