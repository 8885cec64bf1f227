//! One model, used by several threads at a time.

use std::io::Cursor;
use std::sync::Barrier;

use qwen3_rerank::{LoadOptions, RerankRequest, Reranker};

use crate::model;

/// Requests whose prompts begin alike to different lengths, so that threads meet in the prefix cache.
fn requests(thread: usize) -> Vec<RerankRequest> {
    let query = |round: usize| match round % 3 {
        0 => "a query of both threads".to_string(),
        1 => format!("a query of round {round}"),
        _ => format!("a query of thread {thread} in round {round}"),
    };
    let documents = |round: usize| {
        (0..5).map(|i| format!("document {i} {}", "of some words ".repeat(round + i))).collect()
    };
    (0..12).map(|round| RerankRequest::new(query(round), documents(round))).collect()
}

/// Index and margin of each document, best first.
fn order(reranker: &Reranker, request: &RerankRequest) -> Vec<(usize, u32)> {
    let results = reranker.rerank(request).unwrap().results;
    results.iter().map(|ranked| (ranked.index, ranked.score.margin.to_bits())).collect()
}

fn load() -> Reranker {
    let mut options = LoadOptions::default();
    options.batch_tokens = 64;
    Reranker::load(Cursor::new(model::bytes()), options, &mut |_| {}).unwrap()
}

#[test]
fn threads_that_share_a_model_get_the_scores_of_one_alone() {
    let alone = load();
    let expected: [_; 2] = std::array::from_fn(|thread| {
        requests(thread).iter().map(|request| order(&alone, request)).collect::<Vec<_>>()
    });
    let shared = load();
    // Both begin each round together.
    let round = Barrier::new(2);
    let together = std::thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let (shared, round) = (&shared, &round);
            scope.spawn(move || {
                let ranked = requests(thread).into_iter().map(|request| {
                    round.wait();
                    order(shared, &request)
                });
                ranked.collect::<Vec<_>>()
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(together, expected);
}
