//! Reading a folder in BEIR's form: corpus, queries and judgements.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::Rankings;
use crate::api;
use crate::api::json_lines::{fields, read_line, required};
use crate::cli::load::open;
use crate::cli::tell;
use crate::eval::metrics::Metrics;

/// A corpus and the queries that are put to it.
pub struct Dataset {
    /// All documents, as they stand in the file.
    pub corpus: Vec<Document>,
    /// The queries to which something is relevant, as they stand in the file.
    pub queries: Vec<Query>,
    /// How many more are judged, but nothing is relevant to them.
    pub left_out: usize,
}

/// A document.
pub struct Document {
    /// Its name in the judgements.
    pub id: String,
    /// Title and text as one.
    pub text: String,
}

/// A query and its judgements.
pub struct Query {
    /// Its name in the judgements.
    pub id: String,
    /// What to look for; not blank.
    pub text: String,
    /// Grades by document; some may be of documents that the corpus lacks.
    judged: HashMap<String, i32>,
}

impl Dataset {
    /// Reads the folder's corpus, its queries, and the judgements of `split`.
    /// Judged documents that the corpus lacks stay judged, as never found, and
    /// are counted on stderr.
    pub fn read(folder: &Path, split: &str) -> Result<Self> {
        if !is_there(folder)? || !folder.is_dir() {
            bail!("{}: no such folder", folder.display());
        }
        let [corpus, queries] = ["corpus.jsonl", "queries.jsonl"].map(|name| folder.join(name));
        for path in [&corpus, &queries] {
            if !is_there(path)? {
                bail!(
                    "{}: is missing; a folder in BEIR's form has corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv",
                    path.display()
                );
            }
        }
        let qrels = find_split(&folder.join("qrels"), split)?;
        // First what is small: an error in it shows at once.
        let mut queries = read_queries(&queries)?;
        judge(&mut queries, &qrels)?;
        let dataset = Self::new(read_corpus(&corpus)?, queries);
        if dataset.queries.is_empty() {
            bail!("{}: has no score above 0, so nothing is relevant", qrels.display());
        }
        for (count, what) in [
            (
                dataset.unknown_documents(),
                "judged documents that corpus.jsonl lacks, which count as never found",
            ),
            (
                dataset.passed_over(),
                "relevant documents with their query's own id, which are passed over as in BEIR",
            ),
        ] {
            if count > 0 {
                tell(&format!("warning: {}: {what}: {count}", qrels.display()));
            }
        }
        Ok(dataset)
    }

    /// Leaves out the queries without judgements, which are those of other
    /// splits, and those to which nothing is relevant.
    fn new(corpus: Vec<Document>, mut queries: Vec<Query>) -> Self {
        queries.retain(|query| !query.judged.is_empty());
        let judged = queries.len();
        queries.retain(|query| query.judged.values().any(|&grade| grade > 0));
        Self { left_out: judged - queries.len(), corpus, queries }
    }

    fn unknown_documents(&self) -> usize {
        let judged = self.queries.iter().flat_map(|query| query.judged.keys());
        let mut unknown: HashSet<&str> = judged.map(String::as_str).collect();
        for document in &self.corpus {
            unknown.remove(document.id.as_str());
        }
        unknown.len()
    }

    /// How many queries are judged to be answered by the document with their own id.
    fn passed_over(&self) -> usize {
        let answers_itself =
            |query: &&Query| query.judged.get(&query.id).is_some_and(|&grade| grade > 0);
        self.queries.iter().filter(answers_itself).count()
    }

    /// The figures of `rankings`, one for each query.
    pub fn metrics(&self, rankings: &Rankings) -> Metrics {
        let metrics = |(query, ranking): (&Query, &Vec<usize>)| {
            let grade = |&index: &usize| query.judged.get(&self.corpus[index].id).copied();
            let ranked: Vec<i32> = ranking.iter().map(|index| grade(index).unwrap_or(0)).collect();
            let judged: Vec<i32> = query.judged.values().copied().collect();
            Metrics::of(&ranked, &judged).expect("all queries have relevant documents: bug")
        };
        let each: Vec<Metrics> = self.queries.iter().zip(rankings).map(metrics).collect();
        Metrics::mean(&each)
    }
}

/// Whether there is something under this name; what is out of reach is an error, not missing.
fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().with_context(|| path.display().to_string())
}

/// The file of a split, or an error that names those there are.
fn find_split(folder: &Path, split: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{split}.tsv"));
    if is_there(&path)? {
        return Ok(path);
    }
    let context = || folder.display().to_string();
    let mut splits = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if let Some(stem) = path.file_stem().filter(|_| path.extension() == Some("tsv".as_ref())) {
            splits.push(stem.to_string_lossy().into_owned());
        }
    }
    splits.sort_unstable();
    let there_are = if splits.is_empty() { "no file.tsv".to_string() } else { splits.join(", ") };
    bail!("--split {split}: there is none in {}; there are: {there_are}", folder.display())
}

/// The corpus: title and text with a space between, as BEIR gives them to rerankers.
fn read_corpus(path: &Path) -> Result<Vec<Document>> {
    read_lines(path, |id, title, text| {
        let text = format!("{title} {text}").trim().to_string();
        Ok(Document { id, text })
    })
}

fn read_queries(path: &Path) -> Result<Vec<Query>> {
    read_lines(path, |id, _, text| {
        if text.trim().is_empty() {
            bail!("text: is empty");
        }
        Ok(Query { id, text, judged: HashMap::new() })
    })
}

/// Makes a `T` of id, title and text of every line; blank lines are passed over.
fn read_lines<T>(
    path: &Path,
    make: impl Fn(String, String, String) -> Result<T>,
) -> Result<Vec<T>> {
    let mut input = BufReader::new(open(path)?);
    let mut first_lines = HashMap::new();
    let mut made = Vec::new();
    for number in 1.. {
        let place = || format!("{}: line {number}", path.display());
        let Some(line) = read_line(&mut input, number).with_context(place)? else { break };
        let Some([id, title, text]) = read_item(&line).with_context(place)? else { continue };
        if let Some(first) = first_lines.insert(id.clone(), number) {
            bail!("{}: _id: {id:?} stands on line {first} already", place());
        }
        made.push(make(id, title, text).with_context(place)?);
    }
    if made.is_empty() {
        bail!("{}: is empty", path.display());
    }
    Ok(made)
}

/// `_id`, `title` (empty if there is none) and `text` of a line; `None` if it is blank.
fn read_item(line: &[u8]) -> Result<Option<[String; 3]>> {
    let Some(fields) = fields(line)? else { return Ok(None) };
    let id = required(&fields, "_id")?;
    if id.is_empty() {
        bail!("_id: is empty");
    }
    let title = api::text(&fields, &["title"])?.unwrap_or_default();
    Ok(Some([id, title, required(&fields, "text")?]))
}

/// The names of a row's fields, with which the judgements begin.
const HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];

/// Gives the judgements in the file to their queries. Where a pair stands
/// twice, the last one holds, as in BEIR.
fn judge(queries: &mut [Query], path: &Path) -> Result<()> {
    let places: HashMap<String, usize> =
        queries.iter().enumerate().map(|(index, query)| (query.id.clone(), index)).collect();
    let mut input = BufReader::new(open(path)?);
    let mut header_read = false;
    for number in 1.. {
        let place = || format!("{}: line {number}", path.display());
        let Some(line) = read_line(&mut input, number).with_context(place)? else { break };
        let line = String::from_utf8(line).map_err(|_| anyhow!("{}: not UTF-8 text", place()))?;
        if line.is_empty() {
            continue;
        }
        let row = read_row(&line).with_context(place)?;
        if !header_read {
            if row != HEADER {
                bail!("{}: must be the header, query-id, corpus-id and score", place());
            }
            header_read = true;
            continue;
        }
        let [query, document, score] = row;
        let Ok(grade) = score.trim().parse() else {
            bail!("{}: score: {score:?} is not a whole number of 32 bits", place());
        };
        let Some(&index) = places.get(&query) else {
            bail!("{}: query-id: {query:?} is not in queries.jsonl", place());
        };
        queries[index].judged.insert(document, grade);
    }
    Ok(())
}

/// The three fields of a row. Those in quotes are read as such, because BEIR's
/// files are written by Python's csv, which quotes ids that hold a quote.
fn read_row(line: &str) -> Result<[String; 3]> {
    let field = |field: &str| {
        let quoted = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        quoted.map_or(field.to_string(), |text| text.replace("\"\"", "\""))
    };
    let fields: Vec<String> = line.split('\t').map(field).collect();
    fields.try_into().map_err(|fields: Vec<String>| {
        anyhow!(
            "has {} fields; must be query-id, corpus-id and score with tabs between",
            fields.len()
        )
    })
}
