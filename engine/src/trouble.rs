//! What does not work at the moment and may work again by itself: an operator sees it, and a shop of one process is not ready.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// What can be in trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// It takes no entry, and says so: none is lost.
    Journal,
    /// They do not take a flush.
    Tables,
}

#[derive(Debug, Default)]
pub(crate) struct Troubles {
    /// Looked at for each append.
    any: AtomicBool,
    journal: Mutex<Option<String>>,
    tables: Mutex<Option<String>>,
}

impl Troubles {
    const fn of(&self, part: Part) -> &Mutex<Option<String>> {
        match part {
            Part::Journal => &self.journal,
            Part::Tables => &self.tables,
        }
    }

    pub(crate) fn set(&self, part: Part, reason: &str) {
        let mut known = self.of(part).lock();
        if known.is_none() {
            tracing::error!(?part, reason, "in trouble; it is tried again until it works");
        }
        *known = Some(reason.to_owned());
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self, part: Part) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        if self.of(part).lock().take().is_some() {
            tracing::info!(?part, "works again");
        }
        let (journal, tables) = (self.journal.lock(), self.tables.lock());
        self.any.store(journal.is_some() || tables.is_some(), Ordering::Release);
    }

    /// In words, or nothing.
    pub(crate) fn describe(&self) -> Option<String> {
        let of = |what: &str, part: &Mutex<Option<String>>| {
            part.lock().as_ref().map(|reason| format!("{what}: {reason}"))
        };
        let both = [
            of("the journal takes no changes", &self.journal),
            of("the tables take no changes", &self.tables),
        ];
        let both: Vec<String> = both.into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join("; "))
    }

    pub(crate) fn journal(&self) -> bool {
        self.any.load(Ordering::Acquire) && self.journal.lock().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_own_trouble() {
        let troubles = Troubles::default();
        assert_eq!(troubles.describe(), None);
        troubles.set(Part::Tables, "the disk is full");
        troubles.set(Part::Journal, "no room");
        assert!(troubles.journal());
        troubles.clear(Part::Tables);
        assert_eq!(troubles.describe().as_deref(), Some("the journal takes no changes: no room"));
        troubles.clear(Part::Journal);
        assert!(troubles.describe().is_none() && !troubles.journal());
    }
}
