//! Progress of long work: a bar on standard error, where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over bytes, to be told of those done and those there are. It shows
/// nothing unless standard error is a terminal, and goes when dropped.
pub fn bar(what: &'static str) -> impl FnMut(u64, u64) {
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    let style = ProgressStyle::with_template(style).expect("the template is valid: bug");
    let bar = ProgressBar::no_length().with_style(style).with_message(what);
    move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    }
}
