//! One request, sent many times with one key.

use std::time::{Duration, Instant};

use smartcart_testkit::{http::Request, report::Violation};

use crate::client::{Answer, Client, Outcome};

/// A request that is shed or lost is sent again for so long.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Two connections: what goes over one can meet what goes over the other.
#[derive(Debug)]
pub struct Pair {
    pub first: Client,
    pub rival: Client,
}

/// Answers to one request, whichever connection they came over.
#[derive(Debug, Default)]
struct Answers {
    all: Vec<Answer>,
    /// Some were lost or shed: the one that was made may be among them.
    lost: bool,
}

/// How a repeated request went.
#[derive(Debug)]
pub struct Repeated {
    pub answer: Answer,
    pub times: usize,
}

impl Pair {
    /// Sends it over both connections at once, and then `again` more times with `pause` between them. The answer that all of
    /// them agree on.
    pub async fn send(
        &mut self,
        request: &Request,
        again: usize,
        pause: Duration,
    ) -> Result<Repeated, Violation> {
        let (one, other) = tokio::join!(settled(&mut self.first, request), settled(&mut self.rival, request));
        let mut answers = Answers::default();
        answers.take(one?);
        answers.take(other?);
        for _ in 0..again {
            tokio::time::sleep(pause).await;
            answers.take(settled(&mut self.first, request).await?);
        }
        answers.agree(request)
    }

    /// Sends it once; again only when it is shed or lost.
    pub async fn once(&mut self, request: &Request) -> Result<Answer, Violation> {
        Ok(settled(&mut self.first, request).await?.0)
    }
}

impl Answers {
    fn take(&mut self, (answer, lost): (Answer, bool)) {
        self.all.push(answer);
        self.lost |= lost;
    }

    /// One was made, and the others are replays of it.
    fn agree(self, request: &Request) -> Result<Repeated, Violation> {
        let fresh: Vec<&Answer> = self.all.iter().filter(|answer| !answer.replayed).collect();
        let told = || format!("{request:?} was answered {:?}", self.all);
        if fresh.len() > 1 {
            return Err(Violation::new("made_twice", told()));
        }
        if fresh.is_empty() && !self.lost {
            return Err(Violation::new("replay_of_nothing", told()));
        }
        let first = fresh.first().copied().or(self.all.first());
        let Some(first) = first else { return Err(Violation::new("no_answer", told())) };
        let same =
            |answer: &&Answer| (answer.status, &answer.body["id"]) == (first.status, &first.body["id"]);
        if !self.all.iter().all(|answer| same(&answer)) {
            return Err(Violation::new("replay_differs", told()));
        }
        Ok(Repeated { answer: first.clone(), times: self.all.len() })
    }
}

/// Sends until it is answered, and says whether an answer was lost or shed before.
async fn settled(client: &mut Client, request: &Request) -> Result<(Answer, bool), Violation> {
    let began = Instant::now();
    let mut lost = false;
    loop {
        match client.send(request).await.outcome {
            Outcome::Acknowledged(answer) => return Ok((answer, lost)),
            Outcome::Refused(answer) => {
                return Err(Violation::new("refused", format!("{request:?} was answered {answer:?}")));
            }
            other if began.elapsed() > SETTLES_WITHIN => {
                return Err(Violation::new("not_settled", format!("{request:?}: {other:?}")));
            }
            Outcome::Indeterminate(_) | Outcome::NotSent => lost = true,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn agree(answers: &[(u16, bool, &str)], lost: bool) -> Result<usize, &'static str> {
        let answer = |&(status, replayed, id): &(u16, bool, &str)| Answer {
            status,
            replayed,
            body: json!({ "id": id }),
        };
        let answers = Answers { all: answers.iter().map(answer).collect(), lost };
        answers.agree(&Request::get("/")).map(|agreed| agreed.times).map_err(|violation| violation.rule)
    }

    #[test]
    fn one_is_made_and_the_others_are_replays() {
        assert_eq!(agree(&[(201, true, "a"), (201, false, "a"), (201, true, "a")], false), Ok(3));
        assert_eq!(agree(&[(201, false, "a"), (201, false, "a")], false), Err("made_twice"));
        assert_eq!(agree(&[(201, true, "a"), (201, true, "a")], false), Err("replay_of_nothing"));
        assert_eq!(agree(&[(201, true, "a"), (201, true, "a")], true), Ok(2));
        assert_eq!(agree(&[(201, false, "a"), (201, true, "b")], false), Err("replay_differs"));
        assert_eq!(agree(&[(201, false, "a"), (200, true, "a")], false), Err("replay_differs"));
    }
}
