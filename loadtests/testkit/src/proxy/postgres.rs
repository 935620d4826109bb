//! PostgreSQL's answers to commits, lost on purpose. The server has done its work; the client sees a broken connection and
//! does not know the outcome.
//!
//! Follows the wire protocol, version 3 (the manual's chapter "Frontend/Backend Protocol"). A client's messages up to
//! `Query` or `Sync` make a *question*; the server's up to `ReadyForQuery` are the answer. The answer is one to a commit
//! when no transaction is open after it and either its tag is `COMMIT` or a statement of the question writes: that one was
//! a transaction of its own. Whatever belongs to such an answer is kept back until its end, so that it is lost as a whole.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};

use super::{losses::Losses, pipe::Inspect};

/// In place of a protocol version: the first message asks for encryption, or cancels another connection's query.
const ASKS_FOR_TLS: u32 = 80_877_103;
const ASKS_FOR_GSS: u32 = 80_877_104;
const CANCELS: u32 = 80_877_102;
/// No message that a pod sends or gets is longer.
const LONGEST: usize = 64 * 1024 * 1024;

/// What a statement is about, by its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Intent {
    writes: bool,
    appends: bool,
}

impl Intent {
    fn of(sql: &[u8]) -> Self {
        let sql = String::from_utf8_lossy(sql).to_lowercase();
        let writing = ["insert", "update", "delete", "commit", "journal_append", "declare_dead"];
        Self {
            writes: writing.iter().any(|word| sql.contains(word)),
            appends: sql.contains("journal_append"),
        }
    }

    fn join(&mut self, other: Self) {
        self.writes |= other.writes;
        self.appends |= other.appends;
    }
}

/// What both directions of a connection know.
#[derive(Debug, Default)]
struct Session {
    /// Answers of one byte that the server owes.
    encryption_asked: usize,
    /// Questions that are not answered yet.
    asked: VecDeque<Intent>,
}

/// The server's messages.
pub(super) struct Answers {
    losses: Arc<Losses>,
    session: Arc<Mutex<Session>>,
    /// Of the answer that is arriving: what is kept back, and its last tag.
    kept: BytesMut,
    tag: Vec<u8>,
}

impl Answers {
    pub(super) fn new(losses: Arc<Losses>) -> Self {
        Self { losses, session: Arc::default(), kept: BytesMut::new(), tag: Vec::new() }
    }

    /// The client's messages on the same connection.
    pub(super) fn questions(&self) -> Questions {
        Questions {
            losses: self.losses.clone(),
            session: self.session.clone(),
            started: false,
            statements: HashMap::new(),
            asking: Intent::default(),
        }
    }

    /// An answer has ended: with what delay it goes on, or an error when it is lost.
    fn ended(&mut self, open: bool) -> io::Result<Duration> {
        let intent = lock(&self.session).asked.pop_front().unwrap_or_default();
        let tag = std::mem::take(&mut self.tag);
        // Without a tag nothing was executed.
        let commits = !open && (tag == b"COMMIT" || (intent.writes && !tag.is_empty() && tag != b"ROLLBACK"));
        if !commits {
            return Ok(Duration::ZERO);
        }
        if self.losses.take(intent.appends) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(self.losses.slower())
    }
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inspect for Answers {
    fn inspect(&mut self, arrived: &mut BytesMut) -> io::Result<(Bytes, Duration)> {
        let mut onward = BytesMut::new();
        let mut later = Duration::ZERO;
        while lock(&self.session).encryption_asked > 0 && !arrived.is_empty() {
            if arrived[0] != b'N' {
                return self.losses.unreadable_here();
            }
            onward.extend_from_slice(&arrived.split_to(1));
            lock(&self.session).encryption_asked -= 1;
        }
        while let Some(message) = next(arrived, &self.losses)? {
            let body = &message[5..];
            match message[0] {
                b'C' => self.tag = text(body).to_vec(),
                // What has failed has not committed.
                b'E' => self.tag = b"ROLLBACK".to_vec(),
                _ => {}
            }
            let keep = lock(&self.session).asked.front().is_some_and(|question| question.writes);
            if keep { &mut self.kept } else { &mut onward }.extend_from_slice(&message);
            if message[0] == b'Z' {
                later = later.max(self.ended(body != b"I")?);
                onward.unsplit(self.kept.split());
            }
        }
        Ok((onward.freeze(), later))
    }
}

/// The client's messages.
pub(super) struct Questions {
    losses: Arc<Losses>,
    session: Arc<Mutex<Session>>,
    started: bool,
    statements: HashMap<Vec<u8>, Intent>,
    /// The question that is being asked.
    asking: Intent,
}

impl Questions {
    /// The messages before the first tagged one; false when more must arrive.
    fn start(&mut self, arrived: &mut BytesMut, onward: &mut BytesMut) -> io::Result<bool> {
        while !self.started {
            let Some(length) = length_at(arrived, 0) else { return Ok(false) };
            if !(8..=LONGEST).contains(&length) {
                return self.losses.unreadable_here();
            }
            if arrived.len() < length {
                return Ok(false);
            }
            let message = arrived.split_to(length);
            match (&message[4..8]).get_u32() {
                ASKS_FOR_TLS | ASKS_FOR_GSS => lock(&self.session).encryption_asked += 1,
                CANCELS => {}
                _ => {
                    self.started = true;
                    // The first answer that ends with `ReadyForQuery` is the one to this.
                    lock(&self.session).asked.push_back(Intent::default());
                }
            }
            onward.extend_from_slice(&message);
        }
        Ok(true)
    }

    fn read(&mut self, tag: u8, body: &[u8]) {
        match tag {
            b'Q' => {
                self.asking.join(Intent::of(text(body)));
                self.asked();
            }
            b'P' => {
                let name = text(body);
                let sql = body.get(name.len() + 1..).unwrap_or_default();
                self.statements.insert(name.to_vec(), Intent::of(text(sql)));
            }
            b'B' => {
                let portal = text(body);
                let statement = text(body.get(portal.len() + 1..).unwrap_or_default());
                let known = self.statements.get(statement).copied();
                self.asking.join(known.unwrap_or_default());
            }
            b'S' => self.asked(),
            _ => {}
        }
    }

    fn asked(&mut self) {
        let asked = std::mem::take(&mut self.asking);
        lock(&self.session).asked.push_back(asked);
    }
}

impl Inspect for Questions {
    fn inspect(&mut self, arrived: &mut BytesMut) -> io::Result<(Bytes, Duration)> {
        let mut onward = BytesMut::new();
        if self.start(arrived, &mut onward)? {
            while let Some(message) = next(arrived, &self.losses)? {
                self.read(message[0], &message[5..]);
                onward.extend_from_slice(&message);
            }
        }
        Ok((onward.freeze(), Duration::ZERO))
    }
}

/// The next tagged message, when all of it has arrived: tag, length, body.
fn next(arrived: &mut BytesMut, losses: &Losses) -> io::Result<Option<BytesMut>> {
    let Some(length) = length_at(arrived, 1) else { return Ok(None) };
    if !(4..=LONGEST).contains(&length) {
        return losses.unreadable_here();
    }
    Ok((arrived.len() > length).then(|| arrived.split_to(1 + length)))
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let mut length = bytes.get(at..at + 4)?;
    usize::try_from(length.get_u32()).ok()
}

/// Up to the next zero byte.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    fn startup() -> Vec<u8> {
        [&12_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"us\0\0"].concat()
    }

    struct Talk {
        losses: Arc<Losses>,
        questions: Questions,
        answers: Answers,
    }

    impl Talk {
        fn new(percent: u64) -> Self {
            let losses = Arc::new(Losses::new(1));
            losses.lose(percent);
            let answers = Answers::new(losses.clone());
            let mut talk = Self { losses, questions: answers.questions(), answers };
            talk.ask(&startup());
            talk.answer(&message(b'Z', b"I")).unwrap();
            talk
        }

        /// Byte by byte: messages may be cut anywhere.
        fn ask(&mut self, bytes: &[u8]) {
            let mut arrived = BytesMut::new();
            let mut onward = Vec::new();
            for byte in bytes {
                arrived.extend_from_slice(&[*byte]);
                onward.extend_from_slice(&self.questions.inspect(&mut arrived).unwrap().0);
            }
            assert_eq!(onward, bytes, "questions pass as they are");
        }

        fn answer(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
            let mut arrived = BytesMut::new();
            let mut onward = Vec::new();
            for byte in bytes {
                arrived.extend_from_slice(&[*byte]);
                onward.extend_from_slice(&self.answers.inspect(&mut arrived)?.0);
            }
            Ok(onward)
        }
    }

    fn prepare_append() -> Vec<u8> {
        [message(b'P', b"s1\0SELECT journal_append($1)\0\0\0"), message(b'S', b"")].concat()
    }

    fn append() -> Vec<u8> {
        [message(b'B', b"\0s1\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat()
    }

    fn appended() -> Vec<u8> {
        [message(b'D', b"\0\x01"), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()
    }

    #[test]
    fn what_is_not_lost_arrives_as_it_was_sent() {
        let mut talk = Talk::new(0);
        talk.ask(&prepare_append());
        talk.answer(&[message(b'1', b""), message(b'Z', b"I")].concat()).unwrap();
        assert_eq!(talk.losses.commits(), 0, "preparing commits nothing");
        talk.ask(&append());
        assert_eq!(talk.answer(&appended()).unwrap(), appended());
        assert_eq!((talk.losses.commits(), talk.losses.lost()), (1, 0));
    }

    #[test]
    fn the_answer_to_a_write_outside_a_transaction_is_lost_as_a_whole() {
        let mut talk = Talk::new(100);
        talk.ask(&[prepare_append(), append()].concat());
        talk.answer(&[message(b'1', b""), message(b'Z', b"I")].concat()).unwrap();
        let mut answer = BytesMut::from(&appended()[..appended().len() - 1]);
        let (onward, _) = talk.answers.inspect(&mut answer).unwrap();
        assert!(onward.is_empty(), "not even its row goes on");
        answer.extend_from_slice(b"I");
        assert!(talk.answers.inspect(&mut answer).is_err());
        assert_eq!((talk.losses.lost(), talk.losses.appends_lost()), (1, 1));
    }

    #[test]
    fn a_transaction_commits_once_at_its_end() {
        let mut talk = Talk::new(0);
        for (question, tag, status) in [
            (&b"BEGIN\0"[..], &b"BEGIN\0"[..], b"T"),
            (b"UPDATE member SET beat = 1\0", b"UPDATE 1\0", b"T"),
            (b"COMMIT\0", b"COMMIT\0", b"I"),
            (b"SELECT 1\0", b"SELECT 1\0", b"I"),
            (b"BEGIN\0", b"BEGIN\0", b"T"),
            (b"ROLLBACK\0", b"ROLLBACK\0", b"I"),
        ] {
            talk.ask(&message(b'Q', question));
            talk.answer(&[message(b'C', tag), message(b'Z', status)].concat()).unwrap();
        }
        assert_eq!(talk.losses.commits(), 1);
        talk.losses.lose(100);
        talk.ask(&message(b'Q', b"SELECT 1\0"));
        talk.answer(&[message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()).unwrap();
        talk.ask(&message(b'Q', b"COMMIT\0"));
        assert!(talk.answer(&[message(b'C', b"COMMIT\0"), message(b'Z', b"I")].concat()).is_err());
    }

    #[test]
    fn what_failed_is_no_commit() {
        let mut talk = Talk::new(100);
        talk.ask(&[prepare_append(), append()].concat());
        talk.answer(&message(b'Z', b"I")).unwrap();
        talk.answer(&[message(b'E', b"SFATAL\0\0"), message(b'Z', b"I")].concat()).unwrap();
        assert_eq!(talk.losses.commits(), 0);
    }

    #[test]
    fn a_refusal_of_tls_passes_and_tls_is_not_followed() {
        let ask = [&8_u32.to_be_bytes()[..], &ASKS_FOR_TLS.to_be_bytes()].concat();
        for (answer, follows) in [(b"N", true), (b"S", false)] {
            let losses = Arc::new(Losses::new(1));
            let mut answers = Answers::new(losses.clone());
            let mut questions = answers.questions();
            questions.inspect(&mut BytesMut::from(&ask[..])).unwrap();
            assert_eq!(answers.inspect(&mut BytesMut::from(&answer[..])).is_ok(), follows);
            assert_eq!(losses.unreadable(), u64::from(!follows));
        }
    }
}
