//! What a port does wrong, on command or by a seed.

use std::{
    collections::VecDeque,
    future::pending,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use rand::{RngExt as _, seq::IndexedRandom as _};
use tokio::sync::watch;

use crate::random::Rng;

/// Of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalFault {
    /// Not applied, and said so.
    NotTaken,
    /// Not applied; the caller is told that the outcome is unknown.
    LoseRequest,
    /// Applied; the caller is told that the outcome is unknown.
    LoseAnswer,
    /// The outcome is unknown now, and the entry arrives after a while.
    ArriveLate(Duration),
    /// Not applied: somebody seals the journal first.
    Seal,
    /// Not applied, and nothing ever will be.
    Break,
}

/// Of a flush. What only reads fails by any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// Not applied.
    Fail,
    /// Applied, and the answer is lost.
    LoseAnswer,
    /// Refused, as rows are that do not follow.
    Conflict,
    /// Not applied, and the caller panics.
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryFault {
    /// Not applied.
    Unreachable,
    /// Applied, and the answer is lost.
    LoseAnswer,
    /// Not applied, and never answered.
    Hang,
    /// What is read is what the call before had read.
    OldView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerFault {
    /// It does not leave, and the asker knows it.
    Refuse,
    /// It never arrives; the asker waits until its deadline.
    DropRequest,
    /// It is done; the asker waits until its deadline.
    DropAnswer,
    /// It is done; the connection breaks before the answer.
    BreakConnection,
    /// It arrives twice; the first answer counts.
    Repeat,
    /// It is answered, and arrives again after a while.
    RepeatLate(Duration),
}

/// What a seed draws: how long each call takes, and which calls fail.
#[derive(Debug, Clone)]
pub struct Weather<F> {
    pub rng: Rng,
    /// Microseconds of each way.
    pub delay: Range<u64>,
    /// One of these ...
    pub faults: Vec<F>,
    /// ... at one call in so many; 0: never.
    pub one_in: u32,
}

/// The handle by which a test makes one port of one pod misbehave.
#[derive(Debug)]
pub struct Faults<F> {
    state: Mutex<State<F>>,
    line: watch::Sender<Line>,
    struck: AtomicU64,
}

#[derive(Debug)]
struct State<F> {
    scripted: VecDeque<Option<F>>,
    weather: Option<Weather<F>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// Calls fail without effect.
    Away,
    /// Calls and answers wait.
    Held,
    /// Nothing passes any more, for ever.
    Cut,
}

/// What becomes of one call.
#[derive(Debug)]
pub(super) struct Fate<F> {
    pub(super) fault: Option<F>,
    back: Duration,
}

/// The other end is away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Away;

impl<F> Default for Faults<F> {
    fn default() -> Self {
        let state = State { scripted: VecDeque::new(), weather: None };
        Self { state: Mutex::new(state), line: watch::Sender::new(Line::Open), struck: AtomicU64::new(0) }
    }
}

impl<F: Copy> Faults<F> {
    /// The next appends, flushes, or calls of the registry or of a peer suffer these, in order.
    pub fn inject(&self, faults: impl IntoIterator<Item = F>) {
        self.state.lock().scripted.extend(faults.into_iter().map(Some));
    }

    /// The next `calls` calls suffer nothing that was not injected before.
    pub fn spare(&self, calls: usize) {
        self.state.lock().scripted.extend(std::iter::repeat_n(None, calls));
    }

    /// What calls suffer for which nothing was injected.
    pub fn set_weather(&self, weather: Weather<F>) {
        self.state.lock().weather = Some(weather);
    }

    /// No more faults; delays stay.
    pub fn calm(&self) {
        let mut state = self.state.lock();
        state.scripted.clear();
        if let Some(weather) = &mut state.weather {
            weather.one_in = 0;
        }
    }

    /// Calls that have suffered a fault.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    /// Every call fails without effect, until [`Faults::restore`].
    pub fn go_away(&self) {
        self.turn(Line::Away);
    }

    /// Calls, and the answers to calls under way, wait until [`Faults::restore`].
    pub fn hold(&self) {
        self.turn(Line::Held);
    }

    /// The pod is dead: no call of it has an effect or an answer any more.
    pub fn cut(&self) {
        self.turn(Line::Cut);
    }

    pub fn restore(&self) {
        self.turn(Line::Open);
    }

    fn turn(&self, to: Line) {
        self.line.send_if_modified(|line| *line != Line::Cut && std::mem::replace(line, to) != to);
    }

    /// The way of a call there; then it takes effect, or suffers its fault.
    pub(super) async fn call(&self) -> Result<Fate<F>, Away> {
        let scripted = self.state.lock().scripted.pop_front();
        let fault = scripted.unwrap_or_else(|| self.draw());
        self.arrive(fault).await
    }

    /// The same for a call whose fault is known.
    pub(super) async fn suffer(&self, fault: F) -> Result<Fate<F>, Away> {
        self.arrive(Some(fault)).await
    }

    /// The same for a call that no script counts.
    pub(super) async fn read(&self) -> Result<Fate<F>, Away> {
        let fault = self.draw();
        self.arrive(fault).await
    }

    async fn arrive(&self, fault: Option<F>) -> Result<Fate<F>, Away> {
        self.struck.fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
        let (there, back) = self.draw_times();
        self.travel(there).await;
        if *self.line.borrow() == Line::Away { Err(Away) } else { Ok(Fate { fault, back }) }
    }

    /// The same for a call that only takes its time.
    pub(super) async fn passing(&self) -> Result<Fate<F>, Away> {
        self.arrive(None).await
    }

    /// The way of its answer back.
    pub(super) async fn answer<T>(&self, fate: &Fate<F>, answer: T) -> T {
        self.travel(fate.back).await;
        answer
    }

    /// Whether nothing is heard over this line now.
    pub(super) fn is_silent(&self) -> bool {
        *self.line.borrow() != Line::Open
    }

    fn draw_times(&self) -> (Duration, Duration) {
        let mut state = self.state.lock();
        let Some(Weather { rng, delay, .. }) = &mut state.weather else { return Default::default() };
        let mut way = || if delay.is_empty() { 0 } else { rng.random_range(delay.clone()) };
        (Duration::from_micros(way()), Duration::from_micros(way()))
    }

    fn draw(&self) -> Option<F> {
        let mut state = self.state.lock();
        let Weather { rng, faults, one_in, .. } = state.weather.as_mut()?;
        let struck = *one_in > 0 && rng.random_range(0..*one_in) == 0;
        struck.then(|| faults.choose(rng).copied()).flatten()
    }

    async fn travel(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        let mut line = self.line.subscribe();
        // The sender lives as long as we do.
        let open =
            line.wait_for(|line| matches!(line, Line::Open | Line::Away | Line::Cut)).await.map(|line| *line);
        if open.is_ok_and(|line| line == Line::Cut) {
            pending::<()>().await;
        }
    }
}
