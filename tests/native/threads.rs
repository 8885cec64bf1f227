//! One model, used by several threads at a time.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex};

use qwen3_rerank::{LoadOptions, RerankRequest, Reranker};

use crate::model;

/// Index and bits of the margin of each document, best first.
type Order = Vec<(usize, u32)>;

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
    (0..9).map(|round| RerankRequest::new(query(round), documents(round))).collect()
}

fn load() -> Reranker {
    let mut options = LoadOptions::default();
    options.batch_tokens = 64;
    Reranker::load(Cursor::new(model::bytes()), options, &mut |_| {}).unwrap()
}

/// Ranks, and calls `between` after every step.
fn rank(reranker: &Reranker, request: RerankRequest, mut between: impl FnMut()) -> Order {
    let ranking = reranker.rerank_with(request, |_| {
        between();
        ControlFlow::Continue(())
    });
    let results = ranking.unwrap().results;
    results.iter().map(|ranked| (ranked.index, ranked.score.margin.to_bits())).collect()
}

/// Lets two threads take turns, until one of them has finished.
#[derive(Default)]
struct Turns {
    /// Whose turn it is, and who has finished.
    state: Mutex<(usize, [bool; 2])>,
    changed: Condvar,
    /// Turns that were given to the other thread.
    given: Mutex<usize>,
}

impl Turns {
    /// Lets the other thread go on, and waits for the turn back.
    fn pass(&self, thread: usize) {
        let other = 1 - thread;
        let mut state = self.state.lock().unwrap();
        state.0 = other;
        self.changed.notify_all();
        let waits = |state: &mut (usize, [bool; 2])| state.0 != thread && !state.1[other];
        drop(self.changed.wait_while(state, waits).unwrap());
        *self.given.lock().unwrap() += 1;
    }
}

/// Marks a thread as finished when dropped, even by a panic, so that the other does not wait for ever.
struct Finish<'a>(&'a Turns, usize);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        let Self(turns, thread) = *self;
        turns.state.lock().unwrap().1[thread] = true;
        turns.changed.notify_all();
    }
}

#[test]
fn threads_that_share_a_model_get_the_scores_of_one_alone() {
    let alone = load();
    let expected = [0, 1].map(|thread| {
        let ranked = requests(thread).into_iter().map(|request| rank(&alone, request, || ()));
        ranked.collect::<Vec<_>>()
    });
    let (shared, turns) = (load(), Turns::default());
    let together = std::thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let (reranker, turns) = (shared.clone(), &turns);
            scope.spawn(move || {
                let _finish = Finish(turns, thread);
                let one = |request| rank(&reranker, request, || turns.pass(thread));
                requests(thread).into_iter().map(one).collect::<Vec<Order>>()
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(together, expected);
    let given = *turns.given.lock().unwrap();
    assert!(given > 100, "requests were interleaved {given} times");
}
