//! Margins against transformers' on the very weights that the files hold.
//!
//! A quantised file's weights are the same on both sides, so only the rounding of
//! activations to 8 bits per 32 values can differ. What that may cost was simulated
//! in PyTorch on the same cases; our errors are held against it.

use std::collections::BTreeMap;

use crate::golden::{GOLDEN, Model, load, margins};

/// Bound for files without quantised matrices: f32 sums in another order.
const EXACT: f64 = 1e-4;
/// Our root mean square may be this much of the simulation's,
const RMS_FACTOR: f64 = 1.6;
/// and our largest error this much of its largest.
const MAX_FACTOR: f64 = 2.0;

/// Errors of many cases.
#[derive(Clone, Copy, Default)]
pub struct Errors {
    pub cases: usize,
    pub sum_of_squares: f64,
    pub max: f64,
}

impl Errors {
    /// Of margins against a reference's.
    pub fn between(ours: &[f64], reference: &[f64]) -> Self {
        assert_eq!(ours.len(), reference.len());
        let mut errors = Self::default();
        for (a, b) in ours.iter().zip(reference) {
            let error = (a - b).abs();
            assert!(error.is_finite());
            errors.add(Self { cases: 1, sum_of_squares: error * error, max: error });
        }
        errors
    }

    /// Takes in the errors of further cases.
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.sum_of_squares += other.sum_of_squares;
        self.max = self.max.max(other.max);
    }

    /// Root mean square.
    pub fn rms(&self) -> f64 {
        (self.sum_of_squares / self.cases as f64).sqrt()
    }
}

/// A row of the table: our errors and the simulation's.
#[derive(Clone, Copy, Default)]
struct Row {
    ours: Errors,
    simulation: Errors,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.ours.add(other.ours);
        self.simulation.add(other.simulation);
    }

    fn bounds(&self) -> (f64, f64) {
        match self.simulation.cases {
            0 => (EXACT, EXACT),
            _ => (RMS_FACTOR * self.simulation.rms(), MAX_FACTOR * self.simulation.max),
        }
    }

    fn holds(&self) -> bool {
        let (rms, max) = self.bounds();
        self.ours.cases > 0 && self.ours.rms() <= rms && self.ours.max <= max
    }

    fn print(&self, name: &str) {
        let Self { ours, simulation } = self;
        let simulated = match simulation.cases {
            0 => "-".to_string(),
            _ => format!("{:.4} / {:.4}", simulation.rms(), simulation.max),
        };
        let (rms, max) = self.bounds();
        let ok = if self.holds() { "ok" } else { "BROKEN" };
        println!(
            "{name:24} | {:5} | {:8.6} | {:8.6} | {simulated:15} | {rms:.4} / {max:.4} | {ok}",
            ours.cases,
            ours.max,
            ours.rms()
        );
    }
}

const HEADER: &str = "\
type                     | cases | max      | rms      | 8-bit rounding  | bounds          |
                         |       | error    | error    | rms / max       | rms / max       |";

fn compare(model: &Model) -> Row {
    let reranker = load(&GOLDEN.file(model), 8192);
    let head = serde_json::to_value(reranker.info().head).unwrap();
    assert_eq!(head, model.head, "the head of {} {}", model.shape, model.kind);
    let requests = GOLDEN.requests(&model.sets);
    let ours: Vec<f64> = requests.iter().flat_map(|request| margins(&reranker, request)).collect();
    let reference: Vec<f64> = model.logits.iter().map(|[yes, no]| yes - no).collect();
    let mut row = Row { ours: Errors::between(&ours, &reference), simulation: Errors::default() };
    if let Some(simulation) = model.simulation.get(&32) {
        let cases = simulation.cases;
        let sum_of_squares = simulation.rms * simulation.rms * cases as f64;
        row.simulation = Errors { cases, sum_of_squares, max: simulation.max };
    }
    row
}

/// Compares models, prints a row for each type, and fails where bounds are broken.
fn table(title: &str, models: &[Model]) {
    let mut rows: BTreeMap<&str, Vec<(&Model, Row)>> = BTreeMap::new();
    for model in models {
        rows.entry(&model.kind).or_default().push((model, compare(model)));
    }
    println!("\n{title}\n{HEADER}");
    let mut broken = Vec::new();
    for (kind, files) in &rows {
        let mut sum = Row::default();
        files.iter().for_each(|(_, row)| sum.add(*row));
        sum.print(kind);
        if !sum.holds() {
            broken.push(*kind);
            for (model, row) in files {
                row.print(&format!("  {} {}", model.shape, model.seed));
            }
        }
    }
    assert!(broken.is_empty(), "bounds broken for {broken:?}");
}

#[test]
fn margins_agree_with_transformers() {
    table("|margin - transformers'|, small random models", &GOLDEN.models);
}

#[test]
fn margins_of_models_scaled_by_yarn_agree_with_transformers() {
    table("|margin - transformers'|, random models with YaRN", &GOLDEN.yarn);
}

#[test]
#[ignore = "takes minutes and gigabytes: npm run parity -- --large"]
fn margins_agree_with_transformers_on_the_shape_of_0_6b() {
    table("|margin - transformers'|, random models of the 0.6B shape", &GOLDEN.large);
}
