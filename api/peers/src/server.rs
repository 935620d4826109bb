use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use prost::Message as _;
use smartcart_engine::{engine::Engine, peers::PeerError, registry::Epoch};
use smartcart_wire::peer;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};
use tonic::{Request, Response, Status, body::Body, server::Grpc};
use tonic_prost::ProstCodec;

use crate::{
    limits::{BATCH, KEEP_ALIVE, KEEP_ALIVE_TIMEOUT, MESSAGE_BYTES},
    message::{self, Answer, Answers, Batch, Call, Probe, ProbeResponse, Said, SignedMessage},
    transport,
    trust::Trust,
};

/// The longest deadline that a peer may give a request.
const MAX_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum PeerListenError {
    #[error("cannot listen for peers on {listen}: {error}; set SMARTCART_PEER_LISTEN")]
    Bind { listen: SocketAddr, error: std::io::Error },
}

/// The listener for other pods. It is bound first, and answers once the engine exists.
#[derive(Debug)]
pub struct PeerServer {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl PeerServer {
    pub async fn bind(listen: SocketAddr) -> Result<TcpListener, PeerListenError> {
        TcpListener::bind(listen).await.map_err(|error| PeerListenError::Bind { listen, error })
    }

    pub fn start(listener: TcpListener, trust: Trust, engine: Arc<Engine>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, mut stopped) = watch::channel(false);
        let service = PeerService { engine, trust: trust.clone() };
        let server = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT));
        let task = tokio::spawn(async move {
            let ended = async move {
                // The sender lives as long as the server.
                let _closed = stopped.wait_for(|stop| *stop).await;
            };
            let incoming = transport::incoming(listener, trust);
            if let Err(error) = server.serve_with_incoming_shutdown(service, incoming, ended).await {
                tracing::error!(%error, "the listener for peers failed");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Finishes the requests of peers, and ends.
    pub async fn stop(self, patience: Duration) {
        self.stop.send_replace(true);
        let mut task = self.task;
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// Answers the gRPC methods.
#[derive(Clone)]
struct PeerService {
    engine: Arc<Engine>,
    trust: Trust,
}

impl tower::Service<axum::http::Request<Body>> for PeerService {
    type Response = axum::http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: axum::http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                message::ASK => {
                    let codec = ProstCodec::<Answers, SignedMessage>::default();
                    let mut grpc = Grpc::new(codec).apply_max_message_size_config(Some(MESSAGE_BYTES), None);
                    grpc.server_streaming(AskMethod(service), request).await
                }
                message::PROBE => {
                    let mut grpc = Grpc::new(ProstCodec::<ProbeResponse, SignedMessage>::default());
                    grpc.unary(ProbeMethod(service), request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

type AnswerStream = Pin<Box<dyn Stream<Item = Result<Answers, Status>> + Send>>;

struct AskMethod(PeerService);

impl tonic::server::ServerStreamingService<SignedMessage> for AskMethod {
    type Response = Answers;
    type ResponseStream = AnswerStream;
    type Future = std::future::Ready<Result<Response<AnswerStream>, Status>>;

    fn call(&mut self, request: Request<SignedMessage>) -> Self::Future {
        std::future::ready(self.0.answer(request.into_inner()).map(Response::new))
    }
}

struct ProbeMethod(PeerService);

impl tonic::server::UnaryService<SignedMessage> for ProbeMethod {
    type Response = ProbeResponse;
    type Future = std::future::Ready<Result<Response<ProbeResponse>, Status>>;

    fn call(&mut self, request: Request<SignedMessage>) -> Self::Future {
        std::future::ready(self.0.probed(request.into_inner()).map(Response::new))
    }
}

impl PeerService {
    fn open(&self, method: &str, signed: SignedMessage) -> Result<Bytes, Status> {
        match &self.trust {
            Trust::Tls(_) => Ok(signed.body),
            Trust::Secret(signer) => signer.open(method, signed).ok_or_else(|| {
                Status::unauthenticated("not signed with this fleet's secret, or signed too long ago")
            }),
        }
    }

    fn answer(&self, signed: SignedMessage) -> Result<AnswerStream, Status> {
        let body = self.open(message::ASK, signed)?;
        let batch = Batch::decode(body).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let engine = &self.engine;
        let answers: FuturesUnordered<_> =
            batch.calls.into_iter().map(|call| answer(engine.clone(), call)).collect();
        Ok(Box::pin(answers.ready_chunks(BATCH).map(|answers| Ok(Answers { answers }))))
    }

    fn probed(&self, signed: SignedMessage) -> Result<ProbeResponse, Status> {
        let body = self.open(message::PROBE, signed)?;
        let probe = Probe::decode(body).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let asker =
            probe.asker.parse().map_err(|_| Status::invalid_argument("the asker is not an incarnation"))?;
        let probed = self.engine.probed(asker);
        Ok(ProbeResponse {
            incarnation: probed.incarnation.to_string(),
            sees_registry: probed.sees_registry,
            knows_asker: probed.knows_asker,
        })
    }
}

async fn answer(engine: Arc<Engine>, call: Call) -> Answer {
    let deadline = Instant::now() + Duration::from_millis(call.patience_ms).min(MAX_PATIENCE);
    let hops = u8::try_from(call.hops).unwrap_or(u8::MAX);
    let said = match peer::decode_request(&call.request, &engine.catalog()) {
        Ok(request) => match engine.answer(request, Epoch(call.epoch), hops, deadline).await {
            Ok(reply) => Said::Reply(peer::encode_reply(&reply).into()),
            Err(PeerError::NotOwner { epoch }) => Said::NotOwner(epoch.0),
            Err(error) => Said::Refused(error.to_string()),
        },
        Err(error) => Said::Refused(error.to_string()),
    };
    Answer { id: call.id, said: Some(said) }
}
