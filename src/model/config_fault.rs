//! A value of a config that no model can have, before it is known which file or argument it came from.

/// What is wrong with a config.
#[derive(Debug)]
pub(crate) struct ConfigFault {
    /// The field of [`super::config::Config`].
    pub field: &'static str,
    /// What it is and must be.
    pub reason: String,
}
