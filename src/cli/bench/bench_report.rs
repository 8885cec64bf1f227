//! The answer of `bench`, as JSON or as a table.

use std::fmt;

use indicatif::HumanBytes;
use serde::Serialize;

/// What was measured, and how.
#[derive(Serialize)]
pub struct BenchReport {
    /// Name of the model.
    pub model: String,
    /// The instruction set of the kernels.
    pub backend: &'static str,
    /// Number of threads that compute.
    pub threads: usize,
    /// Tokens of the prompt, and of each document.
    pub tokens: usize,
    /// Documents of a request.
    pub documents: usize,
    /// Runs behind each median.
    pub runs: usize,
    /// From opening the file until the model can score.
    pub load_seconds: f64,
    /// One prompt, from text to score.
    pub prefill_tokens_per_second: f64,
    /// Time of prefill's matrix products alone, as a share of the whole.
    pub kernel_share: f64,
    /// A whole request, from texts to order.
    pub documents_per_second: f64,
    /// Peak memory of the process in bytes; `None` if the system does not report it.
    pub peak_bytes: Option<u64>,
    /// Tokens of all prompts of a request, each counted whole.
    pub prompt_tokens: usize,
    /// Tokens of a request that had to be computed.
    pub evaluated_tokens: usize,
    /// Least and greatest of load seconds, prefill tokens and documents per second.
    #[serde(serialize_with = "as_fields")]
    pub spread: [[f64; 2]; 3],
}

fn as_fields<S: serde::Serializer>(spread: &[[f64; 2]; 3], to: S) -> Result<S::Ok, S::Error> {
    let names = ["load_seconds", "prefill_tokens_per_second", "documents_per_second"];
    to.collect_map(names.iter().zip(spread))
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, documents, runs, spread: [load, prefill, rerank], .. } = self;
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        writeln!(f, "{:<10}{}", "model", self.model)?;
        writeln!(f, "{:<10}{}, {} {threads}", "backend", self.backend, self.threads)?;
        writeln!(f, "{:<10}{} s", "load", Figure(self.load_seconds, *load))?;
        writeln!(
            f,
            "{:<10}{} tokens/s, a prompt of {tokens} tokens",
            "prefill",
            Figure(self.prefill_tokens_per_second, *prefill)
        )?;
        writeln!(
            f,
            "{:<10}{} documents/s, requests of {documents} × {tokens} tokens",
            "rerank",
            Figure(self.documents_per_second, *rerank)
        )?;
        writeln!(f, "{:<10}{:.0} % of prefill's time", "kernel", 100.0 * self.kernel_share)?;
        match self.peak_bytes {
            Some(bytes) => writeln!(f, "{:<10}{} at most", "memory", HumanBytes(bytes))?,
            None => writeln!(f, "{:<10}not told by this system", "memory")?,
        }
        writeln!(f, "\nMedians of {runs} runs; least and greatest in brackets.")
    }
}

/// A median with its spread.
struct Figure(f64, [f64; 2]);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(median, [least, greatest]) = *self;
        let places = if median < 100.0 { 2 } else { 0 };
        write!(f, "{median:.places$} ({least:.places$} to {greatest:.places$})")
    }
}

/// Values of one figure, one for each run.
#[derive(Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds the value of a run.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle value, or the mean of the middle two.
    ///
    /// # Panics
    /// If there are none.
    pub fn median(&self) -> f64 {
        let last = self.0.len() - 1;
        f64::midpoint(self.0[last / 2], self.0[last.div_ceil(2)])
    }

    /// Least and greatest.
    ///
    /// # Panics
    /// If there are none.
    pub fn spread(&self) -> [f64; 2] {
        [self.0[0], self.0[self.0.len() - 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn the_median_is_the_middle() {
        let samples = |values: &[f64]| {
            let mut samples = Samples::default();
            values.iter().for_each(|&value| samples.push(value));
            samples
        };
        assert_eq!(samples(&[3.0]).median(), 3.0);
        assert_eq!(samples(&[9.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(samples(&[9.0, 1.0, 2.0, 4.0]).median(), 3.0);
        assert_eq!(samples(&[9.0, 1.0, 2.0, 4.0]).spread(), [1.0, 9.0]);
    }
}
