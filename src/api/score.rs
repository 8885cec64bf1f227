//! From the two logits to a score.
//!
//! The reference takes softmax over the logits [no, yes] at the last
//! position, which is sigmoid(yes − no). The margin yes − no orders
//! documents; the probability, which rounds to 1 for large margins, is only shown.

use serde::Serialize;

/// How well a document answers the query.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// Probability of "yes" against "no", 0 to 1: the sigmoid of `margin`.
    #[serde(rename = "score")]
    pub probability: f64,
    /// Logit of "yes" less logit of "no"; finite.
    pub margin: f32,
    /// Tokens of the whole prompt: template, query and document.
    pub tokens: usize,
    /// Whether the document was cut to fit.
    pub truncated: bool,
}

impl Score {
    /// A score from its margin; `None` if the margin is not finite.
    pub fn new(margin: f32, tokens: usize, truncated: bool) -> Option<Self> {
        // Not std's: its exponential rounds otherwise in WebAssembly.
        let probability = 1.0 / (1.0 + libm::exp(f64::from(-margin)));
        margin.is_finite().then_some(Self { probability, margin, tokens, truncated })
    }

    /// What answers give as the score: the probability, or the margin if `raw`.
    pub(crate) fn written(&self, raw: bool) -> f64 {
        if raw { f64::from(self.margin) } else { self.probability }
    }
}

#[cfg(test)]
mod tests {
    use super::Score;

    #[test]
    fn probability_is_the_sigmoid_of_the_margin() {
        let probability = |margin| Score::new(margin, 0, false).unwrap().probability;
        assert_eq!(probability(0.0), 0.5);
        assert!((probability(2.0) - 0.880797).abs() < 1e-6);
        assert!((probability(-2.0) - 0.119203).abs() < 1e-6);
        assert_eq!(probability(-1e4), 0.0);
    }

    #[test]
    fn margins_that_are_not_finite_are_refused() {
        for margin in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(Score::new(margin, 0, false).is_none());
        }
    }
}
