//! Redis' answers to appends, lost on purpose. The server has the entry; the client sees a broken connection and does not know.
//!
//! Follows the wire protocol (RESP 2, redis.io, "Redis serialization protocol specification"): questions and answers are
//! values of one grammar, and each question has one answer, in order. Whatever else is under way on the connection is lost
//! with the answer, as it is when a network breaks.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};

use super::{losses::Losses, pipe::Inspect};

/// Arrays in arrays: no answer that a pod gets is deeper.
const DEEPEST: usize = 8;

/// Of the questions that are not answered yet, whether each appends to a journal.
type Asked = Arc<Mutex<VecDeque<bool>>>;

/// The server's answers.
pub(super) struct Answers {
    losses: Arc<Losses>,
    asked: Asked,
}

impl Answers {
    pub(super) fn new(losses: Arc<Losses>) -> Self {
        Self { losses, asked: Asked::default() }
    }

    /// The client's questions on the same connection.
    pub(super) fn questions(&self) -> Questions {
        Questions { losses: self.losses.clone(), asked: self.asked.clone() }
    }
}

impl Inspect for Answers {
    fn inspect(&mut self, arrived: &mut BytesMut) -> io::Result<(Bytes, Duration)> {
        let mut onward = BytesMut::new();
        let mut later = Duration::ZERO;
        while let Some(answer) = next(arrived, &self.losses)? {
            let appends = self.asked.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if appends.unwrap_or(false) {
                if self.losses.take(true) {
                    return Err(ErrorKind::ConnectionReset.into());
                }
                later = later.max(self.losses.slower());
            }
            onward.unsplit(answer);
        }
        Ok((onward.freeze(), later))
    }
}

/// The client's questions.
pub(super) struct Questions {
    losses: Arc<Losses>,
    asked: Asked,
}

impl Inspect for Questions {
    fn inspect(&mut self, arrived: &mut BytesMut) -> io::Result<(Bytes, Duration)> {
        let mut onward = BytesMut::new();
        while let Some(question) = next(arrived, &self.losses)? {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push_back(appends(&question));
            onward.unsplit(question);
        }
        Ok((onward.freeze(), Duration::ZERO))
    }
}

/// Whether a question calls the function that appends: `FCALL ..._append ...`, an array of texts.
fn appends(question: &[u8]) -> bool {
    let mut lines = question.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let (command, function) = (lines.nth(2), lines.nth(1));
    command.is_some_and(|command| command.eq_ignore_ascii_case(b"FCALL"))
        && function.is_some_and(|function| function.ends_with(b"_append"))
}

/// The next value, when all of it has arrived.
fn next(arrived: &mut BytesMut, losses: &Losses) -> io::Result<Option<BytesMut>> {
    match value(arrived, DEEPEST) {
        Ok(length) => Ok(Some(arrived.split_to(length))),
        Err(NoValue::Yet) => Ok(None),
        Err(NoValue::AtAll) => losses.unreadable_here(),
    }
}

#[derive(Debug)]
enum NoValue {
    Yet,
    AtAll,
}

/// The length of the value that the bytes begin with.
fn value(bytes: &[u8], deepest: usize) -> Result<usize, NoValue> {
    let end = bytes.windows(2).position(|two| two == b"\r\n").ok_or(NoValue::Yet)?;
    let (first, line) = bytes[..end].split_first().ok_or(NoValue::AtAll)?;
    let mut length = end + 2;
    match first {
        b'+' | b'-' | b':' => {}
        b'$' => {
            if let Some(text) = count(line)? {
                length += text + 2;
            }
        }
        b'*' => {
            let deepest = deepest.checked_sub(1).ok_or(NoValue::AtAll)?;
            for _ in 0..count(line)?.unwrap_or(0) {
                length += value(bytes.get(length..).ok_or(NoValue::Yet)?, deepest)?;
            }
        }
        _ => return Err(NoValue::AtAll),
    }
    if length <= bytes.len() { Ok(length) } else { Err(NoValue::Yet) }
}

/// How much follows; nothing: no value.
fn count(line: &[u8]) -> Result<Option<usize>, NoValue> {
    match std::str::from_utf8(line).ok().and_then(|text| text.parse::<i64>().ok()) {
        Some(-1) => Ok(None),
        Some(count) => usize::try_from(count).map(Some).map_err(|_| NoValue::AtAll),
        None => Err(NoValue::AtAll),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(words: &[&str]) -> Vec<u8> {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let asked: String = words.collect();
        format!("*{}\r\n{asked}", asked.matches('$').count()).into_bytes()
    }

    fn append() -> Vec<u8> {
        question(&["FCALL", "smartcart_1_append", "2", "state", "lane", "0", "1", "a\r\nb"])
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
            Self { losses, questions: answers.questions(), answers }
        }

        /// Byte by byte: values may be cut anywhere.
        fn ask(&mut self, bytes: &[u8]) {
            let passed = bit_by_bit(&mut self.questions, bytes).unwrap();
            assert_eq!(passed, bytes, "questions pass as they are");
        }

        fn answer(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
            bit_by_bit(&mut self.answers, bytes)
        }
    }

    fn bit_by_bit(way: &mut dyn Inspect, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let (mut arrived, mut onward) = (BytesMut::new(), Vec::new());
        for byte in bytes {
            arrived.extend_from_slice(&[*byte]);
            onward.extend_from_slice(&way.inspect(&mut arrived)?.0);
        }
        Ok(onward)
    }

    #[test]
    fn what_is_not_lost_arrives_as_it_was_sent() {
        let mut talk = Talk::new(0);
        talk.ask(&append());
        talk.ask(&question(&["FCALL", "smartcart_1_read", "2", "state", "lane", "0", "0", "100"]));
        talk.ask(&question(&["GET", "nothing"]));
        let answers = b":0\r\n*3\r\n:0\r\n*1\r\n:1\r\n*2\r\n$4\r\na\r\nb\r\n*0\r\n$-1\r\n";
        assert_eq!(talk.answer(answers).unwrap(), answers);
        assert_eq!((talk.losses.commits(), talk.losses.lost(), talk.losses.unreadable()), (1, 0, 0));
    }

    #[test]
    fn only_answers_to_appends_are_lost() {
        let mut talk = Talk::new(100);
        for other in
            [["FCALL", "smartcart_1_trim"], ["FCALL_RO", "x_append"], ["PING", "FCALL"], ["HGETALL", "s"]]
        {
            talk.ask(&question(&other));
            assert_eq!(talk.answer(b"+OK\r\n").unwrap(), b"+OK\r\n");
        }
        assert_eq!(talk.losses.commits(), 0);
        talk.ask(&append());
        assert!(talk.answer(b":0\r\n").is_err());
        assert_eq!((talk.losses.commits(), talk.losses.lost(), talk.losses.appends_lost()), (1, 1, 1));
    }

    #[test]
    fn what_is_answered_before_goes_on_and_what_comes_behind_is_lost_too() {
        let mut talk = Talk::new(0);
        talk.ask(&[question(&["PING"]), append(), question(&["PING"])].concat());
        assert_eq!(talk.answer(b"+PONG\r\n").unwrap(), b"+PONG\r\n");
        talk.losses.lose(100);
        assert!(talk.answer(b":0\r\n+PONG\r\n").is_err());
    }

    #[test]
    fn what_is_not_the_protocol_is_not_followed() {
        for odd in [&b"\x16\x03\x01\r\n"[..], b"*x\r\n", b"$-2\r\n", &b"*1\r\n".repeat(9)] {
            let mut talk = Talk::new(0);
            assert!(talk.answer(odd).is_err());
            assert_eq!(talk.losses.unreadable(), 1);
        }
    }
}
