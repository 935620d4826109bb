//! How long files and functions are.

use std::fmt::{self, Display, Formatter};

use crate::workspace::Workspace;

/// Of 100 files or functions, 95 are shorter than this.
pub(crate) const FILE_LINES: usize = 500;
pub(crate) const FUNCTION_LINES: usize = 50;

/// The longest of all. What is to be split, not what is allowed: each is lowered when the longest has been, and never raised.
pub(crate) const LONGEST_FILE: usize = 564;
pub(crate) const LONGEST_FUNCTION: usize = 92;

const LISTED: usize = 5;

/// Lengths in lines, the longest first, with where to find each.
#[derive(Debug)]
pub(crate) struct Sizes {
    what: &'static str,
    lengths: Vec<(usize, String)>,
}

impl Sizes {
    fn new(what: &'static str, mut lengths: Vec<(usize, String)>) -> Self {
        lengths.sort_by(|one, other| other.cmp(one));
        Self { what, lengths }
    }

    pub(crate) fn of_files(workspace: &Workspace) -> Self {
        let files = workspace.files.values();
        Self::new("files", files.map(|file| (file.text.lines().count(), file.path.clone())).collect())
    }

    pub(crate) fn of_functions(workspace: &Workspace) -> Self {
        let files = workspace.files.values();
        let functions = files.flat_map(|file| {
            let path = &file.path;
            file.functions
                .iter()
                .map(move |function| (function.lines, format!("{path}:{}: {}", function.line, function.name)))
        });
        Self::new("functions", functions.collect())
    }

    /// The smallest length that `percent` of all do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> usize {
        let rank = (self.lengths.len() * percent).div_ceil(100).max(1);
        self.lengths.get(self.lengths.len().saturating_sub(rank)).map_or(0, |(length, _)| *length)
    }
}

impl Display for Sizes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (count, what) = (self.lengths.len(), self.what);
        let (median, p95, longest) = (self.percentile(50), self.percentile(95), self.percentile(100));
        writeln!(f, "{count} {what}: p50 {median}, p95 {p95}, max {longest} lines")?;
        for (length, place) in self.lengths.iter().take(LISTED) {
            writeln!(f, "  {length:5}  {place}")?;
        }
        Ok(())
    }
}

#[test]
fn a_percentile_is_one_of_the_lengths() {
    let sizes = Sizes::new("files", (1..=20).map(|length| (length, String::new())).collect());
    assert_eq!((sizes.percentile(50), sizes.percentile(95), sizes.percentile(100)), (10, 19, 20));
}
