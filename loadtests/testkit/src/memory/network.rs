//! The pods' ways to each other, through the wire form.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{
    failure::Failure,
    id::IncarnationId,
    peer::{PeerReply, PeerRequest},
};
use smartcart_engine::{
    Engine,
    peers::{Envelope, PeerError, Peers, ProbeResponse},
    registry::{Epoch, Member},
};
use smartcart_wire::peer::{decode_reply, decode_request, encode_reply, encode_request};
use tokio::{sync::oneshot, time::Instant};

use super::{
    bugs::{Bug, Bugs},
    faults::{Away, Faults, PeerFault},
};

/// A probe is answered within this, or it is not.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Who listens where.
#[derive(Clone, Default)]
pub struct Network {
    listeners: Arc<Mutex<HashMap<String, Listener>>>,
    bugs: Bugs,
}

#[derive(Clone)]
struct Listener {
    engine: Arc<Engine>,
    /// What befalls who asks it also befalls it: a pod that is cut off hears nothing.
    faults: Arc<Faults<PeerFault>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.listeners.lock().keys()).finish()
    }
}

impl Network {
    /// From now on a pod is reached at its address; `own` are the faults of its own way to the others.
    pub fn listen(&self, address: &str, engine: Arc<Engine>, own: &Arc<Faults<PeerFault>>) {
        self.listeners.lock().insert(address.to_owned(), Listener { engine, faults: own.clone() });
    }

    /// From now on a bug strikes at one chance in so many.
    pub fn plant(&self, bug: Bug, one_in: u32) {
        self.bugs.plant(bug, one_in);
    }

    /// Nobody is reached there any more.
    pub fn close(&self, address: &str) {
        self.listeners.lock().remove(address);
    }

    fn at(&self, address: &str) -> Option<Listener> {
        self.listeners.lock().get(address).cloned()
    }
}

/// One pod's way to the others.
#[derive(Debug)]
pub struct MemoryPeers {
    network: Network,
    faults: Arc<Faults<PeerFault>>,
}

impl MemoryPeers {
    pub fn new(network: &Network) -> Self {
        Self { network: network.clone(), faults: Arc::default() }
    }

    pub const fn faults(&self) -> &Arc<Faults<PeerFault>> {
        &self.faults
    }

    fn reach(&self, to: &Member) -> Result<Listener, PeerError> {
        let listener = self.network.at(&to.address);
        listener.ok_or_else(|| unreachable(format!("nobody listens at {}", to.address)))
    }
}

/// A request as it travels.
#[derive(Clone)]
struct Letter {
    request: Vec<u8>,
    epoch: Epoch,
    hops: u8,
    deadline: Instant,
    /// It has lost what tells a repetition.
    keyless: bool,
}

type Said = Result<Vec<u8>, PeerError>;

impl Listener {
    /// Answers whether or not the asker still listens.
    fn deliver(self, letter: Letter) -> oneshot::Receiver<Said> {
        let (said, answer) = oneshot::channel();
        tokio::spawn(async move {
            let reply = self.answer(letter).await;
            // An asker that has gone asks again.
            let _gone = said.send(reply);
        });
        answer
    }

    async fn answer(&self, letter: Letter) -> Said {
        let Letter { request, epoch, hops, deadline, keyless } = letter;
        let fate = self.faults.passing().await.map_err(|Away| no_answer("the pod is away"))?;
        let mut request = decode_request(&request, &self.engine.catalog())
            .map_err(|malformed| unreachable(malformed.to_string()))?;
        if keyless {
            forget_key(&mut request);
        }
        let reply = self.engine.answer(request, epoch, hops, deadline).await;
        self.faults.answer(&fate, reply.map(|reply| encode_reply(&reply))).await
    }
}

fn forget_key(request: &mut PeerRequest) {
    match request {
        PeerRequest::Cart(_, request) => request.key = None,
        PeerRequest::Stock(_, request) => request.key = None,
        PeerRequest::ReadCart(_) | PeerRequest::ReadStock(_) | PeerRequest::Checkout(_) => {}
    }
}

fn unreachable(why: impl Into<String>) -> PeerError {
    Failure::not_applied(why).into()
}

fn no_answer(why: &str) -> PeerError {
    Failure::indeterminate(why).into()
}

#[async_trait]
impl Peers for MemoryPeers {
    async fn ask(&self, to: &Member, envelope: Envelope<'_>) -> Result<PeerReply, PeerError> {
        let Envelope { request, epoch, hops, deadline } = envelope;
        let request =
            encode_request(request).ok_or_else(|| unreachable("a checkout's steps stay on their pod"))?;
        let letter = Letter { request, epoch, hops, deadline, keyless: false };
        let again = || Letter { keyless: self.network.bugs.strikes(Bug::RepeatedRequest), ..letter.clone() };
        let asking = async {
            let fate = self.faults.call().await.map_err(|Away| unreachable("it is away"))?;
            if fate.fault == Some(PeerFault::Refuse) {
                return Err(unreachable("refused on command"));
            }
            let listener = self.reach(to)?;
            if fate.fault == Some(PeerFault::DropRequest) {
                return std::future::pending().await;
            }
            if fate.fault == Some(PeerFault::Repeat) {
                drop(listener.clone().deliver(again()));
            }
            let said = listener.clone().deliver(letter.clone()).await;
            match fate.fault {
                Some(PeerFault::DropAnswer) => return std::future::pending().await,
                Some(PeerFault::BreakConnection) => return Err(no_answer("the connection broke")),
                Some(PeerFault::RepeatLate(after)) => {
                    let again = again();
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        drop(listener.deliver(again));
                    });
                }
                _ => {}
            }
            let said = said.unwrap_or_else(|_| Err(no_answer("the connection broke")));
            self.faults.answer(&fate, said).await
        };
        let said = tokio::time::timeout_at(deadline, asking).await;
        let reply = said.map_err(|_| no_answer("no answer in time"))??;
        decode_reply(&reply).map_err(|malformed| no_answer(&malformed.to_string()))
    }

    async fn probe(&self, to: &Member, asker: IncarnationId) -> Result<ProbeResponse, PeerError> {
        let asking = async {
            let fate = self.faults.passing().await.map_err(|Away| unreachable("it is away"))?;
            let listener = self.reach(to)?;
            let there = listener.faults.passing().await.map_err(|Away| no_answer("the pod is away"))?;
            let probed = listener.engine.probed(asker);
            let probed = listener.faults.answer(&there, probed).await;
            Ok(self.faults.answer(&fate, probed).await)
        };
        let probed = tokio::time::timeout(PROBE_PATIENCE, asking).await;
        probed.unwrap_or_else(|_| Err(no_answer("no answer to a probe in time")))
    }
}
