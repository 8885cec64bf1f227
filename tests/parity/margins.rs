//! Margins against transformers' on the very weights that the files hold.
//!
//! Activations are not rounded here, so quantised files must agree as closely as
//! the others. Beside each type stands what rounding every layer's input to 8 bits
//! per 32 values would cost, simulated in PyTorch on the same cases: the measure
//! for products that do round.

use std::collections::BTreeMap;

use crate::golden::{GOLDEN, Model, load, margins};

/// Bound on each error: f32 sums in another order.
const BOUND: f64 = 2e-3;

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

    fn holds(&self) -> bool {
        self.ours.cases > 0 && self.ours.max <= BOUND
    }

    fn print(&self, name: &str) {
        let Self { ours, simulation } = self;
        let simulated = match simulation.cases {
            0 => "-".to_string(),
            _ => format!("{:.4} / {:.4}", simulation.rms(), simulation.max),
        };
        let ok = if self.holds() { "ok" } else { "BROKEN" };
        println!(
            "{name:24} | {:5} | {:8.6} | {:8.6} | {simulated:15} | {BOUND} | {ok}",
            ours.cases,
            ours.max,
            ours.rms()
        );
    }
}

const HEADER: &str = "\
type                     | cases | max      | rms      | 8-bit rounding  | bound |
                         |       | error    | error    | rms / max       | (max) |";

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
#[ignore = "takes minutes and gigabytes: npm run parity -- --large"]
fn margins_agree_with_transformers_on_the_shape_of_0_6b() {
    table("|margin - transformers'|, random models of the 0.6B shape", &GOLDEN.large);
}
