//! Shards on their way out. Whatever ends a handover (an error, a timeout, a dropped future, a panic), the shards are
//! open here again, unless the registry was asked: then only its answer says where they are.

use std::{collections::HashMap, sync::Arc};

use super::{shard_map::ShardMap, shard_state::Transition};
use crate::registry::{Epoch, Member};
use smartcart_domain::shard::ShardId;

type Resume = Box<dyn FnOnce(Vec<ShardId>) + Send + Sync>;

/// Shards that are being handed over, before the registry was asked. Dropped, it opens them here again.
pub(crate) struct Departure {
    map: Arc<ShardMap>,
    shards: Vec<ShardId>,
    /// Takes up again what was stopped in shards that stay.
    resume: Option<Resume>,
}

impl Departure {
    /// Closes those of the shards that are open here. What comes for them waits from now on.
    pub(crate) fn begin(map: &Arc<ShardMap>, shards: &[ShardId]) -> Self {
        let closed = |shard: &ShardId| map.change(*shard, Transition::Drain).is_ok();
        let shards = shards.iter().copied().filter(closed).collect();
        Self { map: map.clone(), shards, resume: None }
    }

    pub(crate) fn shards(&self) -> &[ShardId] {
        &self.shards
    }

    /// Returns when everybody who was inside has left.
    pub(crate) async fn drained(&self) {
        for shard in &self.shards {
            self.map.emptied(*shard).await;
        }
    }

    /// Called with the shards if they stay here.
    pub(crate) fn resume_with(&mut self, resume: impl FnOnce(Vec<ShardId>) + Send + Sync + 'static) {
        self.resume = Some(Box::new(resume));
    }

    /// The tables have all of them: readers are not served any more either.
    pub(crate) fn transfer(&mut self) {
        let map = &self.map;
        self.shards.retain(|shard| goes_on(map, *shard, Transition::Transfer));
    }

    /// From now on the registry decides.
    pub(crate) fn ask_registry(mut self) -> UnknownOutcome {
        let mut shards = std::mem::take(&mut self.shards);
        shards.retain(|shard| goes_on(&self.map, *shard, Transition::AskRegistry));
        let shards = shards.into_iter().map(|shard| (shard, self.map.epoch(shard))).collect();
        UnknownOutcome { map: self.map.clone(), shards, resume: self.resume.take() }
    }
}

fn goes_on(map: &ShardMap, shard: ShardId, transition: Transition) -> bool {
    let changed = map.change(shard, transition);
    if let Err(error) = &changed {
        tracing::error!(shard = shard.0, %error, "a shard drops out of its handover");
    }
    changed.is_ok()
}

impl Drop for Departure {
    fn drop(&mut self) {
        if self.shards.is_empty() {
            return;
        }
        let shards = std::mem::take(&mut self.shards);
        restore(&self.map, &shards, |_| Transition::Restore);
        if let Some(resume) = self.resume.take() {
            resume(shards);
        }
    }
}

fn restore(map: &ShardMap, shards: &[ShardId], transition: impl Fn(ShardId) -> Transition) {
    for shard in shards {
        if let Err(error) = map.change(*shard, transition(*shard)) {
            tracing::error!(shard = shard.0, %error, "a shard could not be opened again");
        }
    }
    map.announce();
}

/// The registry was asked to give shards away. Only [`UnknownOutcome::resolve`] opens or releases them.
pub(crate) struct UnknownOutcome {
    map: Arc<ShardMap>,
    shards: Vec<(ShardId, Epoch)>,
    resume: Option<Resume>,
}

impl UnknownOutcome {
    /// What was asked for: the shards, with the epochs at which they are this pod's.
    pub(crate) fn shards(&self) -> &[(ShardId, Epoch)] {
        &self.shards
    }

    /// The registry's answer: those that went, with their new epochs; the others stay. Whether all went.
    pub(crate) fn resolve(self, went: &HashMap<ShardId, Epoch>, owner: Option<&Arc<Member>>) -> bool {
        let mut stay = Vec::new();
        let epochs: HashMap<ShardId, Epoch> = self.shards.iter().copied().collect();
        for shard in epochs.keys() {
            let Some(epoch) = went.get(shard) else {
                stay.push(*shard);
                continue;
            };
            let release = Transition::Release { epoch: *epoch, owner: owner.cloned() };
            if let Err(error) = self.map.change(*shard, release) {
                tracing::error!(shard = shard.0, %error, "a shard that has moved could not be released");
            }
        }
        restore(&self.map, &stay, |shard| Transition::Keep { epoch: epochs[&shard] });
        let all_went = stay.is_empty();
        if let Some(resume) = self.resume
            && !all_went
        {
            resume(stay);
        }
        all_went
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::ownership::shard_map::Route;

    const SHARD: ShardId = ShardId(7);
    const OTHER: ShardId = ShardId(8);

    fn owning(shards: &[ShardId]) -> Arc<ShardMap> {
        let map = Arc::new(ShardMap::in_fleet());
        for shard in shards {
            assert!(map.acquire(*shard, Epoch(1)));
        }
        map
    }

    fn asked(map: &Arc<ShardMap>, shards: &[ShardId]) -> UnknownOutcome {
        let mut departure = Departure::begin(map, shards);
        departure.transfer();
        departure.ask_registry()
    }

    #[tokio::test]
    async fn a_shard_is_drained_when_the_last_one_has_left() {
        let map = owning(&[SHARD]);
        let inside = map.enter(SHARD).unwrap();
        let departure = Departure::begin(&map, &[SHARD, OTHER]);
        assert_eq!(departure.shards(), [SHARD], "the other is not here");
        assert!(departure.drained().now_or_never().is_none(), "somebody is inside");
        assert!(map.enter(SHARD).is_none(), "nobody enters what is closing");
        assert!(map.serves(SHARD), "but it is read");
        let leaving = async {
            tokio::task::yield_now().await;
            drop(inside);
        };
        tokio::join!(departure.drained(), leaving);
        assert!(departure.drained().now_or_never().is_some(), "nobody is inside any more");
    }

    #[tokio::test]
    async fn a_departure_that_is_given_up_opens_its_shards_for_those_who_wait() {
        for transferred in [false, true] {
            let map = owning(&[SHARD]);
            let mut departure = Departure::begin(&map, &[SHARD]);
            let (resumed, stayed) = std::sync::mpsc::channel();
            departure.resume_with(move |shards| resumed.send(shards).unwrap());
            if transferred {
                departure.transfer();
                assert!(!map.serves(SHARD));
            }
            let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
            let waiting = map.route(SHARD, Epoch(1), deadline);
            let giving_up = async {
                tokio::task::yield_now().await;
                drop(departure);
            };
            assert!(matches!(tokio::join!(waiting, giving_up).0, Ok(Route::Local(_))));
            assert_eq!(stayed.recv().unwrap(), [SHARD]);
        }
    }

    #[test]
    fn after_the_question_nothing_but_the_answer_opens_a_shard() {
        let map = owning(&[SHARD, OTHER]);
        let outcome = asked(&map, &[SHARD]);
        drop(outcome);
        assert!(!map.is_open(SHARD) && !map.serves(SHARD));
        assert_eq!(map.learn(SHARD, Epoch(1), None), Ok(()));
        assert!(!map.acquire(SHARD, Epoch(2)) && !map.serves(SHARD), "whoever asked is still at it");
        assert!(asked(&map, &[OTHER]).resolve(&HashMap::from([(OTHER, Epoch(2))]), None));
        assert_eq!(map.owned(), [(SHARD, Epoch(1))]);
    }

    #[tokio::test]
    async fn what_went_is_the_others_and_what_did_not_is_open_here() {
        let map = owning(&[SHARD, OTHER]);
        let outcome = asked(&map, &[SHARD, OTHER]);
        let waiting = map.route(SHARD, Epoch(1), tokio::time::Instant::now() + Duration::from_secs(10));
        let moving = async {
            tokio::task::yield_now().await;
            assert!(
                !outcome.resolve(&HashMap::from([(SHARD, Epoch(2))]), Some(&Arc::new(Member::live("b", 2))))
            );
        };
        match tokio::join!(waiting, moving).0.unwrap() {
            Route::Remote(owner) => assert_eq!((owner.member.pod.as_str(), owner.epoch), ("b", Epoch(2))),
            Route::Local(_) => panic!("it is not here any more"),
        }
        assert!(map.is_open(OTHER) && !map.is_open(SHARD));
    }

    #[test]
    fn a_panic_restores_too() {
        let map = owning(&[SHARD]);
        let handing = map.clone();
        let panicked = std::thread::spawn(move || {
            let mut departure = Departure::begin(&handing, &[SHARD]);
            departure.transfer();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(map.is_open(SHARD));
    }
}
