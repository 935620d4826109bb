//! The link to one pod: a queue, and a task that sends what has gathered in it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::uri::PathAndQuery;
use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::Message as _;
use smartcart_domain::failure::Failure;
use smartcart_engine::{peers::PeerError, registry::Epoch};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tonic::{Request, Streaming, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use crate::{
    limits::{BATCH, MESSAGE_BYTES, PROBE_TIMEOUT},
    message::{self, Answers, Batch, Call, Probe, ProbeResponse, Said, SignedMessage},
    transport,
    trust::Trust,
};

/// Requests that may wait to be sent to one pod.
const QUEUE: usize = 4096;

type ReplySender = oneshot::Sender<Result<Bytes, PeerError>>;

pub(crate) struct Outgoing {
    pub(crate) request: Bytes,
    pub(crate) epoch: u64,
    pub(crate) hops: u32,
    pub(crate) deadline: Instant,
    pub(crate) reply_to: ReplySender,
}

#[derive(Clone)]
pub(crate) struct Link {
    queue: mpsc::Sender<Outgoing>,
    connection: Arc<Connection>,
}

/// Opened when it is needed, and again after it has failed.
struct Connection {
    address: String,
    trust: Trust,
    channel: tokio::sync::Mutex<Option<Channel>>,
}

impl Link {
    pub(crate) fn to(address: String, trust: Trust) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let connection = Arc::new(Connection { address, trust, channel: tokio::sync::Mutex::default() });
        tokio::spawn(send_all(connection.clone(), waiting));
        Self { queue, connection }
    }

    pub(crate) fn send(&self, outgoing: Outgoing) -> Result<(), PeerError> {
        self.queue
            .try_send(outgoing)
            .map_err(|_| Failure::not_applied("too many requests wait for this pod").into())
    }

    pub(crate) async fn probe(&self, asker: String) -> Result<ProbeResponse, PeerError> {
        let probe = Probe { asker }.encode_to_vec().into();
        let probing = async {
            let channel = self.connection.channel().await?;
            let mut grpc = Grpc::new(channel.clone());
            let signed = Request::new(self.connection.signed(message::PROBE, probe));
            let codec = ProstCodec::<SignedMessage, ProbeResponse>::default();
            let answer = async {
                grpc.ready().await.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
                grpc.unary(signed, PathAndQuery::from_static(message::PROBE), codec).await
            };
            match answer.await {
                Ok(answer) => Ok(answer.into_inner()),
                Err(status) => {
                    self.connection.forget().await;
                    Err(Failure::indeterminate(status.message()).into())
                }
            }
        };
        tokio::time::timeout(PROBE_TIMEOUT, probing)
            .await
            .unwrap_or_else(|_| Err(Failure::indeterminate("no answer to a probe in time").into()))
    }
}

impl Connection {
    fn signed(&self, method: &str, body: Bytes) -> SignedMessage {
        match &self.trust {
            Trust::Secret(signer) => signer.sign(method, body),
            Trust::Tls(_) => SignedMessage { body, at: 0, signature: Bytes::new() },
        }
    }

    async fn channel(&self) -> Result<Channel, PeerError> {
        let mut channel = self.channel.lock().await;
        if let Some(channel) = &*channel {
            return Ok(channel.clone());
        }
        let made = transport::connect(&self.address, &self.trust)
            .await
            .map_err(|error| Failure::not_applied(format!("{}: {error}", self.address)))?;
        *channel = Some(made.clone());
        Ok(made)
    }

    async fn forget(&self) {
        *self.channel.lock().await = None;
    }
}

/// Sends what has gathered; messages may overlap.
async fn send_all(connection: Arc<Connection>, mut waiting: mpsc::Receiver<Outgoing>) {
    let mut some = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut some, BATCH).await > 0 {
        tokio::spawn(send(connection.clone(), std::mem::take(&mut some)));
        // Tasks that are ready to ask share the next message.
        tokio::task::yield_now().await;
    }
}

async fn send(connection: Arc<Connection>, some: Vec<Outgoing>) {
    let channel = match connection.channel().await {
        Ok(channel) => channel,
        Err(error) => {
            for outgoing in some {
                let _gone = outgoing.reply_to.send(Err(error.clone()));
            }
            return;
        }
    };
    let mut open: HashMap<u32, ReplySender> = HashMap::with_capacity(some.len());
    let mut patience = Duration::ZERO;
    let mut batch = Batch { calls: Vec::with_capacity(some.len()) };
    for (id, outgoing) in (0_u32..).zip(some) {
        let left = outgoing.deadline.saturating_duration_since(Instant::now());
        patience = patience.max(left);
        batch.calls.push(Call {
            id,
            request: outgoing.request,
            epoch: outgoing.epoch,
            hops: outgoing.hops,
            patience_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        });
        open.insert(id, outgoing.reply_to);
    }
    let exchanged = exchange(&connection, channel, batch, &mut open);
    let failed = match tokio::time::timeout(patience, exchanged).await {
        Ok(Ok(())) => None,
        Ok(Err(status)) => {
            connection.forget().await;
            Some(status)
        }
        Err(_) => Some(tonic::Status::deadline_exceeded("no answer in time")),
    };
    let failure = match failed {
        // Refused unread, or never sent: nothing was applied.
        Some(status) if status.code() == tonic::Code::Unauthenticated || was_not_sent(&status) => {
            Failure::not_applied(reason(&status))
        }
        Some(status) => Failure::indeterminate(reason(&status)),
        None => Failure::indeterminate("the pod did not answer this request"),
    };
    for reply_to in open.into_values() {
        let _gone = reply_to.send(Err(failure.clone().into()));
    }
}

/// The status with its causes.
fn reason(status: &tonic::Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether the connection had closed before the message was sent, as it does when its pod stops.
fn was_not_sent(status: &tonic::Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_canceled();
        }
        cause = error.source();
    }
    false
}

async fn exchange(
    connection: &Connection,
    channel: Channel,
    batch: Batch,
    open: &mut HashMap<u32, ReplySender>,
) -> Result<(), tonic::Status> {
    let mut grpc = Grpc::new(channel).max_decoding_message_size(MESSAGE_BYTES);
    grpc.ready().await.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
    let signed = Request::new(connection.signed(message::ASK, batch.encode_to_vec().into()));
    let codec = ProstCodec::<SignedMessage, Answers>::default();
    let mut answers: Streaming<Answers> =
        grpc.server_streaming(signed, PathAndQuery::from_static(message::ASK), codec).await?.into_inner();
    while let Some(some) = answers.next().await {
        for answer in some?.answers {
            let Some(reply_to) = open.remove(&answer.id) else { continue };
            let reply = match answer.said {
                Some(Said::Reply(reply)) => Ok(reply),
                Some(Said::NotOwner(epoch)) => Err(PeerError::NotOwner { epoch: Epoch(epoch) }),
                Some(Said::Refused(why)) => Err(Failure::not_applied(why).into()),
                None => Err(Failure::indeterminate("the pod answered in a newer protocol").into()),
            };
            let _gone = reply_to.send(reply);
        }
    }
    Ok(())
}
