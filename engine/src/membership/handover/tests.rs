//! Handovers that end early, in every way: the shard is open here or owned elsewhere afterwards, never stuck.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Waker},
};

use async_trait::async_trait;
use metrics::{Counter, Gauge, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;

use super::*;
use crate::ownership::shard_map::Route;
use crate::registry::{Heartbeat, Takeover};
use crate::store::StoreError;
use smartcart_domain::time::ShopTime;

const SHARD: ShardId = ShardId(7);
const OTHER: ShardId = ShardId(8);
const ME: IncarnationId = IncarnationId(1);

fn other_pod() -> Member {
    Member::live("b", 2)
}

/// What the registry does with one question. The last of them goes for all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Moves,
    /// It is done, but the answer is lost.
    MovesSilently,
    MovesAndHangs,
    MovesAndPanics,
    Lost,
    Hangs,
    /// The new owner is not live.
    Refuses,
    Fenced,
}

/// A registry with two shards, which belong to this pod at first.
struct FakeRegistry {
    rows: Mutex<Vec<ShardRow>>,
    answers: Mutex<VecDeque<Answer>>,
}

impl FakeRegistry {
    fn answering(answers: &[Answer]) -> Self {
        let row = |shard| ShardRow { shard, epoch: Epoch(1), owner: Some(ME) };
        Self {
            rows: Mutex::new(vec![row(SHARD), row(OTHER)]),
            answers: Mutex::new(answers.iter().copied().collect()),
        }
    }

    fn owner(&self, shard: ShardId) -> Option<IncarnationId> {
        self.rows.lock().iter().find(|row| row.shard == shard).and_then(|row| row.owner)
    }

    fn write(&self, to: Option<IncarnationId>, shards: &[(ShardId, Epoch)]) -> Vec<ShardRow> {
        let mut rows = self.rows.lock();
        let given = |row: &&mut ShardRow| shards.contains(&(row.shard, row.epoch)) && row.owner == Some(ME);
        let give = |row: &mut ShardRow| {
            *row = ShardRow { epoch: Epoch(row.epoch.0 + 1), owner: to, ..*row };
            *row
        };
        rows.iter_mut().filter(given).map(give).collect()
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.lock();
        let next = answers[0];
        if answers.len() > 1 {
            answers.pop_front();
        }
        next
    }
}

fn unavailable<T>() -> Result<T, RegistryError> {
    Err(Failure::indeterminate("on purpose").into())
}

#[async_trait]
impl Registry for FakeRegistry {
    async fn hand_over(
        &self,
        _: IncarnationId,
        to: Option<IncarnationId>,
        shards: &[(ShardId, Epoch)],
    ) -> Result<Vec<ShardRow>, RegistryError> {
        tokio::task::yield_now().await;
        let answer = self.next();
        let moves = [Answer::Moves, Answer::MovesSilently, Answer::MovesAndHangs, Answer::MovesAndPanics];
        let went = if moves.contains(&answer) { self.write(to, shards) } else { Vec::new() };
        tokio::task::yield_now().await;
        match answer {
            Answer::Moves | Answer::Refuses => Ok(went),
            Answer::MovesSilently | Answer::Lost => unavailable(),
            Answer::MovesAndHangs | Answer::Hangs => std::future::pending().await,
            Answer::MovesAndPanics => panic!("on purpose"),
            Answer::Fenced => Err(Failure::fenced().into()),
        }
    }

    async fn shards(&self) -> Result<Vec<ShardRow>, RegistryError> {
        tokio::task::yield_now().await;
        Ok(self.rows.lock().clone())
    }

    async fn join(&self, _: &Member, _: ShopTime) -> Result<(), RegistryError> {
        unavailable()
    }

    async fn heartbeat(&self, _: IncarnationId, _: ShopTime) -> Result<Heartbeat, RegistryError> {
        unavailable()
    }

    async fn claim(&self, _: IncarnationId, _: &[ShardId]) -> Result<Vec<ShardRow>, RegistryError> {
        unavailable()
    }

    async fn leave(&self, _: IncarnationId) -> Result<(), RegistryError> {
        unavailable()
    }

    async fn deregister(&self, _: IncarnationId) -> Result<(), RegistryError> {
        unavailable()
    }

    async fn declare_dead(&self, _: IncarnationId, _: IncarnationId) -> Result<bool, RegistryError> {
        unavailable()
    }

    async fn take_over(&self, _: IncarnationId) -> Result<Option<Box<dyn Takeover>>, RegistryError> {
        unavailable()
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Works,
    Hangs,
    Panics,
}

impl Step {
    async fn take(self) {
        tokio::task::yield_now().await;
        match self {
            Self::Works => {}
            Self::Hangs => std::future::pending().await,
            Self::Panics => panic!("on purpose"),
        }
    }
}

struct FakeContents {
    /// Before the shards are closed.
    ahead: Step,
    flush: Step,
    clear: Step,
    abandoned: AtomicUsize,
    resumed: AtomicUsize,
}

#[async_trait]
impl ShardContents for FakeContents {
    fn abandon(&self, shards: &[ShardId]) {
        self.abandoned.fetch_add(shards.len(), Ordering::SeqCst);
    }

    async fn flush_ahead(&self, _: &[ShardId]) -> Result<(), StoreError> {
        self.ahead.take().await;
        Ok(())
    }

    async fn flush(&self, _: &[ShardId]) -> Result<(), StoreError> {
        self.flush.take().await;
        Ok(())
    }

    async fn clear(&self, _: ShardId) {
        self.clear.take().await;
    }

    fn residents(&self, _: ShardId) -> usize {
        0
    }

    fn resume(&self, shards: Vec<ShardId>) {
        self.resumed.fetch_add(shards.len(), Ordering::SeqCst);
    }
}

struct Pod {
    map: Arc<ShardMap>,
    registry: Arc<FakeRegistry>,
    contents: Arc<FakeContents>,
    admission: Arc<AdmissionController>,
    handover: Arc<Handover>,
}

impl Pod {
    fn new(answers: &[Answer], flush: Step, clear: Step) -> Self {
        Self::with_tables(answers, Step::Works, flush, clear)
    }

    fn with_tables(answers: &[Answer], ahead: Step, flush: Step, clear: Step) -> Self {
        let map = Arc::new(ShardMap::in_fleet());
        assert!(map.acquire(SHARD, Epoch(1)) && map.acquire(OTHER, Epoch(1)));
        let registry = Arc::new(FakeRegistry::answering(answers));
        let contents = Arc::new(FakeContents { ahead, flush, clear, abandoned: 0.into(), resumed: 0.into() });
        let admission = Arc::new(AdmissionController::new(1, None));
        let handover = Handover::new(ME, registry.clone(), map.clone(), contents.clone(), admission.clone());
        let handover = Arc::new(handover);
        Self { map, registry, contents, admission, handover }
    }

    fn with(answers: &[Answer]) -> Self {
        Self::new(answers, Step::Works, Step::Works)
    }

    async fn give(&self, shard: ShardId) -> Result<usize, HandoverError> {
        self.give_by(shard, Duration::from_secs(600)).await
    }

    async fn give_by(&self, shard: ShardId, patience: Duration) -> Result<usize, HandoverError> {
        self.handover.hand_over(&[shard], Some(&other_pod()), Some(Instant::now() + patience)).await
    }

    /// Open here, and what was stopped in it goes on; or the other's, and requests go there.
    async fn is_settled(&self, context: &str) {
        let here = self.registry.owner(SHARD) == Some(ME);
        assert_eq!((self.map.is_open(SHARD), self.map.serves(SHARD)), (here, here), "{context}");
        let deadline = Instant::now() + Duration::from_secs(3600);
        match self.map.route(SHARD, Epoch(1), deadline).await {
            Ok(Route::Local(_)) => assert!(here, "{context}"),
            Ok(Route::Remote(owner)) => {
                assert_eq!((owner.member.pod.as_str(), owner.epoch), ("b", Epoch(2)), "{context}");
            }
            Err(shed) => panic!("{context}: nobody serves it: {shed:?}"),
        }
        let (abandoned, resumed) =
            (self.contents.abandoned.load(Ordering::SeqCst), self.contents.resumed.load(Ordering::SeqCst));
        assert_eq!(resumed, if here { abandoned } else { 0 }, "{context}");
    }
}

/// Polls a handover some times, half a second apart, and drops it. Whether it ended by itself.
async fn dropped_after(polls: usize, pod: &Pod) -> bool {
    let mut handing = pin!(pod.give(SHARD));
    for _ in 0..polls {
        if handing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_handover_that_is_dropped_at_any_await_leaves_its_shard_here_or_there() {
    use Answer::{Hangs, Lost, Moves, MovesAndHangs, MovesAndPanics, MovesSilently, Refuses};
    let histories: [&[Answer]; 9] = [
        &[Moves],
        &[Refuses],
        &[Lost, Moves],
        &[Hangs, Moves],
        &[MovesSilently, Moves],
        &[MovesAndHangs, Refuses],
        &[MovesAndPanics, Moves],
        &[Lost, Refuses],
        &[Hangs, Hangs, Lost, MovesSilently, Lost, Moves],
    ];
    for answers in histories {
        for (flush, clear) in
            [(Step::Works, Step::Works), (Step::Hangs, Step::Works), (Step::Works, Step::Hangs)]
        {
            let mut polls = 0;
            loop {
                let pod = Pod::new(answers, flush, clear);
                let ended = dropped_after(polls, &pod).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
                pod.is_settled(&format!("{answers:?}, {flush:?}, {clear:?}, dropped after {polls} polls"))
                    .await;
                if ended {
                    break;
                }
                polls += 1;
            }
            assert!(polls > 3, "{answers:?}: it was dropped at {polls} awaits only");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_does_not_end_has_a_deadline_and_the_shard_stays() {
    for (flush, clear, step) in
        [(Step::Hangs, Step::Works, HandoverStep::Flush), (Step::Works, Step::Hangs, HandoverStep::Clear)]
    {
        let pod = Pod::new(&[Answer::Moves], flush, clear);
        let began = Instant::now();
        assert_eq!(pod.give(SHARD).await, Err(HandoverError::TimedOut(step)));
        assert!(began.elapsed() <= HANDOVER_FLUSH_TIMEOUT);
        let abandoned = pod.contents.abandoned.load(Ordering::SeqCst);
        let expected = usize::from(step == HandoverStep::Clear);
        assert_eq!(abandoned, expected, "what the tables have not got can not be looked up in them");
        pod.is_settled("after its deadline").await;
    }
    let pod = Pod::with(&[Answer::Moves]);
    let inside = pod.map.enter(SHARD).unwrap();
    assert_eq!(pod.give(SHARD).await, Err(HandoverError::TimedOut(HandoverStep::Drain)));
    pod.is_settled("with somebody inside").await;
    drop(inside);
    assert_eq!(pod.give(SHARD).await, Ok(1));
    pod.is_settled("at the second try").await;
}

#[tokio::test(start_paused = true)]
async fn a_handover_ends_by_the_moment_that_its_caller_names() {
    let patience = HANDOVER_LEAST_TIME + REGISTRY_CALL_TIMEOUT;
    let hanging = Pod::new(&[Answer::Moves], Step::Hangs, Step::Works);
    let silent = Pod::with(&[Answer::Hangs]);
    for (pod, error) in
        [(hanging, HandoverError::TimedOut(HandoverStep::Flush)), (silent, HandoverError::OutcomeUnknown)]
    {
        let began = Instant::now();
        assert_eq!(pod.give_by(SHARD, patience).await, Err(error));
        assert!(began.elapsed() <= patience + Duration::from_millis(5));
    }
}

#[tokio::test(start_paused = true)]
async fn with_tables_that_take_nothing_no_shard_is_closed() {
    let pod = Pod::with_tables(&[Answer::Moves], Step::Hangs, Step::Works, Step::Works);
    let mut giving = pin!(pod.give(SHARD));
    let watching = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(pod.map.is_open(SHARD), "requests go on while the tables are waited for");
        }
    };
    let stays = tokio::select! {
        biased;
        stays = &mut giving => stays,
        () = watching => unreachable!("it watches for ever"),
    };
    assert_eq!(stays, Err(HandoverError::TimedOut(HandoverStep::Flush)));
    pod.is_settled("after its deadline").await;
}

#[tokio::test(start_paused = true)]
async fn without_time_for_its_steps_a_handover_closes_nothing() {
    let pod = Pod::with(&[Answer::Moves]);
    let late = pod.give_by(SHARD, REGISTRY_CALL_TIMEOUT).await;
    assert_eq!(late, Err(HandoverError::TimedOut(HandoverStep::Begin)));
    assert!(pod.map.is_open(SHARD));
}

#[tokio::test(start_paused = true)]
async fn a_handover_behind_another_one_has_all_its_time() {
    let pod = Pod::with(&[Answer::Hangs, Answer::Moves]);
    let (inside, inside_other) = (pod.map.enter(SHARD).unwrap(), pod.map.enter(OTHER).unwrap());
    let leaving = async {
        tokio::time::sleep(HANDOVER_DRAIN_TIMEOUT * 3 - Duration::from_secs(1)).await;
        drop(inside_other);
    };
    let hand_over = |turn, shard| {
        let pod = &pod;
        async move {
            tokio::time::sleep(Duration::from_millis(10) * turn).await;
            pod.handover.hand_over(&[shard], None, None).await
        }
    };
    let (first, second, third, ()) =
        tokio::join!(hand_over(0, SHARD), hand_over(1, SHARD), hand_over(2, OTHER), leaving);
    let stays = Err(HandoverError::TimedOut(HandoverStep::Drain));
    assert_eq!((first, second), (stays.clone(), stays));
    assert_eq!(third, Ok(1), "17 seconds to its end, and three more for an answer that was lost");
    drop(inside);
}

#[tokio::test(start_paused = true)]
async fn a_panic_restores_the_shard() {
    for (flush, clear) in [(Step::Panics, Step::Works), (Step::Works, Step::Panics)] {
        let pod = Arc::new(Pod::new(&[Answer::Moves], flush, clear));
        let giving = pod.clone();
        let panicked = tokio::spawn(async move { giving.give(SHARD).await }).await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
        pod.is_settled("after a panic").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_opens_nothing_and_holds_up_no_other_shard() {
    use Answer::{Hangs, MovesSilently, Refuses};
    let pod = Pod::with(&[MovesSilently, Hangs, Hangs, Refuses]);
    assert_eq!(pod.give(SHARD).await, Err(HandoverError::OutcomeUnknown));
    assert!(!pod.map.is_open(SHARD) && !pod.map.serves(SHARD), "it may be the other's");
    let began = Instant::now();
    assert_eq!(pod.give(SHARD).await, Ok(0), "nothing to give: the first handover still asks");
    assert!(pod.map.is_open(OTHER) && began.elapsed() < Duration::from_millis(100));
    tokio::time::sleep(Duration::from_secs(10)).await;
    pod.is_settled("when the registry answers").await;
    assert_eq!(pod.registry.owner(SHARD), Some(IncarnationId(2)));
}

#[tokio::test(start_paused = true)]
async fn a_fenced_pod_opens_nothing_again() {
    let pod = Pod::with(&[Answer::Fenced]);
    assert_eq!(pod.give(SHARD).await, Err(RegistryError::from(Failure::fenced()).into()));
    assert!(pod.admission.read_only().is_some(), "it changes nothing from this moment on");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!pod.map.is_open(SHARD) && !pod.map.serves(SHARD));
}

/// Hears of the durations that are recorded under the contract's name.
#[derive(Debug, Default, Clone)]
struct Durations(Arc<Mutex<Vec<f64>>>);

impl HistogramFn for Durations {
    fn record(&self, value: f64) {
        self.0.lock().push(value);
    }
}

impl Recorder for Durations {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        if key.name() == DURATION {
            metrics::Histogram::from_arc(Arc::new(self.clone()))
        } else {
            metrics::Histogram::noop()
        }
    }
}

#[test]
fn how_long_a_handover_took_is_recorded_also_when_nobody_waits_for_it_any_more() {
    let durations = Durations::default();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&durations, || {
        runtime.block_on(async {
            let pod = Pod::with(&[Answer::Hangs, Answer::Hangs, Answer::Hangs, Answer::Moves]);
            assert_eq!(pod.give(SHARD).await, Err(HandoverError::OutcomeUnknown));
            tokio::time::sleep(Duration::from_secs(60)).await;
            pod.is_settled("when the registry answers").await;
        });
    });
    let took = durations.0.lock().clone();
    assert!(matches!(*took, [seconds] if seconds > HANDOVER_OUTCOME_TIMEOUT.as_secs_f64()), "{took:?}");
}
