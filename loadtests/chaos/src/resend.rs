//! A request that is sent twice at once, over two connections and with one key: what is known of it then.

use smartcart_testkit::report::Violation;

use crate::client::{Outcome, Timed};

/// One request as the journal has it.
#[derive(Debug)]
pub struct Joined {
    pub first: Timed,
    /// The other answer, when only both together say what became of it.
    pub again: Option<Timed>,
}

/// What two answers to one request say together. They met at the server: either may have been the first.
pub fn join(one: Timed, other: Timed) -> Result<Joined, Violation> {
    use Outcome::{Acknowledged, Indeterminate, NotSent, Refused};
    let (first, again) = match (&one.outcome, &other.outcome) {
        (Acknowledged(a), Acknowledged(b)) => {
            if !a.replayed && !b.replayed {
                return Err(Violation::new("made_twice", format!("{one:?} and {other:?}")));
            }
            if (a.status, &a.body["id"]) != (b.status, &b.body["id"]) {
                return Err(Violation::new("replay_differs", format!("{one:?} and {other:?}")));
            }
            (if a.replayed { other } else { one }, None)
        }
        // A replay alone: the other one was made, and its answer lost.
        (Acknowledged(a), Indeterminate(_)) if a.replayed => (other, Some(one)),
        (Indeterminate(_), Acknowledged(b)) if b.replayed => (one, Some(other)),
        // Made by this one; the other one, if it came at all, changed nothing.
        (Acknowledged(_), _) => (one, None),
        (_, Acknowledged(_)) => (other, None),
        // A refusal says nothing of the one that got no answer.
        (Indeterminate(_), _) => (one, None),
        (_, Indeterminate(_)) => (other, None),
        (Refused(_), _) => (one, None),
        (NotSent, _) => (other, None),
    };
    Ok(Joined { first, again })
}

/// Whether a request that was acknowledged was answered the same when it came again: with a replay, or not at all.
pub fn check_replay(made: &Timed, again: &Timed) -> Option<Violation> {
    let Outcome::Acknowledged(made) = &made.outcome else { return None };
    let same = match &again.outcome {
        Outcome::Acknowledged(again) => {
            again.replayed && (again.status, &again.body["id"]) == (made.status, &made.body["id"])
        }
        Outcome::Refused(_) => false,
        Outcome::Indeterminate(_) | Outcome::NotSent => true,
    };
    (!same).then(|| Violation::new("replay_differs", format!("{made:?} and then {again:?}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::client::Answer;

    fn timed(sent: u64, outcome: Outcome) -> Timed {
        Timed { sent, answered: sent + 10, took: Duration::ZERO, outcome }
    }

    fn made(sent: u64, replayed: bool) -> Timed {
        timed(sent, Outcome::Acknowledged(Answer { status: 200, replayed, body: json!({ "id": "a" }) }))
    }

    fn refused(sent: u64) -> Timed {
        timed(sent, Outcome::Refused(Answer { status: 409, replayed: false, body: json!({}) }))
    }

    fn lost(sent: u64) -> Timed {
        timed(sent, Outcome::Indeterminate("lost".into()))
    }

    fn joined(one: Timed, other: Timed) -> (u64, Option<u64>) {
        let Joined { first, again } = join(one, other).unwrap();
        (first.sent, again.map(|again| again.sent))
    }

    #[test]
    fn the_one_that_was_made_is_the_first() {
        assert_eq!(joined(made(1, true), made(2, false)), (2, None));
        assert_eq!(joined(made(1, false), refused(2)), (1, None));
        assert_eq!(joined(lost(1), made(2, false)), (2, None));
        assert_eq!(joined(timed(1, Outcome::NotSent), refused(2)), (2, None));
        assert_eq!(join(made(1, false), made(2, false)).unwrap_err().rule, "made_twice");
    }

    #[test]
    fn a_replay_alone_settles_the_one_whose_answer_was_lost() {
        assert_eq!(joined(made(1, true), lost(2)), (2, Some(1)));
        assert_eq!(joined(lost(1), made(2, true)), (1, Some(2)));
        assert_eq!(joined(refused(1), lost(2)), (2, None), "it may have been made after the refusal");
    }

    #[test]
    fn what_was_made_is_replayed() {
        assert_eq!(check_replay(&made(1, false), &made(2, true)), None);
        assert_eq!(check_replay(&made(1, false), &lost(2)), None);
        assert!(check_replay(&made(1, false), &made(2, false)).is_some());
        assert!(check_replay(&made(1, false), &refused(2)).is_some());
    }
}
