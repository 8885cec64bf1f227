//! Scores to an order.

use crate::api::Ranked;

/// Orders documents by margin, best first, ties as they came, and keeps the first `top_n`.
/// All margins are finite.
pub fn rank(mut documents: Vec<Ranked>, top_n: Option<usize>) -> Vec<Ranked> {
    let margin = |ranked: &Ranked| ranked.score.margin;
    // A stable sort, so that ties stay in the order of the request.
    documents.sort_by(|a, b| margin(b).partial_cmp(&margin(a)).expect("finite: bug"));
    documents.truncate(top_n.unwrap_or(usize::MAX));
    documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Score;

    fn indices(margins: &[f32], top_n: Option<usize>) -> Vec<usize> {
        let ranked = |(index, &margin)| {
            let score = Score::new(margin, 1, false).expect("finite");
            Ranked { index, score }
        };
        let documents = margins.iter().enumerate().map(ranked).collect();
        rank(documents, top_n).iter().map(|ranked| ranked.index).collect()
    }

    #[test]
    fn the_best_come_first_and_ties_as_they_came() {
        assert_eq!(indices(&[1.0, 3.0, 1.0, 3.0, 2.0], None), [1, 3, 4, 0, 2]);
        assert_eq!(indices(&[0.0, -0.0], None), [0, 1]);
    }

    #[test]
    fn margins_order_where_probabilities_are_equal() {
        // Both probabilities round to 1.
        assert_eq!(indices(&[50.0, 60.0], None), [1, 0]);
    }

    #[test]
    fn the_best_of_all_are_kept_not_the_first() {
        assert_eq!(indices(&[1.0, 2.0, 3.0], Some(2)), [2, 1]);
        assert_eq!(indices(&[1.0], Some(5)), [0]);
    }
}
