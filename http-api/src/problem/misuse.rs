//! What the engine refuses, as problems.

use core::time::Duration;

use p2p_core::api::{ApiMisuse, ConnectFailure, RequestOutcome, answer_status};

use super::{Code, Problem};
use crate::encode::base64;

impl From<ApiMisuse> for Problem {
    fn from(misuse: ApiMisuse) -> Self {
        let code = match &misuse {
            ApiMisuse::NotConnected => Code::NotConnected,
            ApiMisuse::UnknownPeer => Code::PeerNotFound,
            ApiMisuse::UnknownIntroducer => Code::IntroducerNotFound,
            ApiMisuse::NoIntroducer => Code::NoIntroducer,
            ApiMisuse::UnknownStream => Code::StreamNotFound,
            ApiMisuse::StreamFinished => Code::StreamStopped,
            ApiMisuse::UnknownMessage => Code::MessageNotFound,
            ApiMisuse::UnknownRequest => Code::RequestNotFound,
            ApiMisuse::OwnId => Code::OwnId,
            ApiMisuse::InvalidArgument { .. } => Code::InvalidParameter,
            ApiMisuse::TooLarge { .. } => Code::BodyTooLarge,
            ApiMisuse::Limit(_) => Code::LimitReached,
            ApiMisuse::ShutDown => Code::ShutDown,
            _ => Code::LimitReached,
        };
        let problem = Self::new(code, sentence(&misuse.to_string()));
        match misuse {
            ApiMisuse::InvalidArgument { what, must } => problem.with_error(what, must),
            ApiMisuse::TooLarge { limit_bytes } => problem.with_member("limit_bytes", limit_bytes),
            ApiMisuse::Limit(limit) => problem
                .with_member("limit", limit.limit)
                .with_retry_after(Duration::from_secs(1)),
            _ => problem,
        }
    }
}

/// A failed connection attempt as a problem.
pub(crate) fn connect_failed(reason: ConnectFailure) -> Problem {
    let (code, detail) = match reason {
        ConnectFailure::IntroducerUnreachable => (
            Code::IntroducerUnreachable,
            "No introducer could be asked for the peer.",
        ),
        ConnectFailure::UnknownPeer => (
            Code::PeerNotFound,
            "The introducers asked do not know the peer: it is offline or registered elsewhere.",
        ),
        ConnectFailure::Refused => (Code::ConnectRefused, "The peer or the introducer refused."),
        ConnectFailure::KeyMismatch => (
            Code::KeyMismatch,
            "The key record shown does not belong to the id, or differs from the one known.",
        ),
        ConnectFailure::NameChanged => (
            Code::NameChanged,
            "An introducer gives the name to another id than before; nothing was sent there.",
        ),
        ConnectFailure::Ambiguous => (
            Code::PeerAmbiguous,
            "Introducers give the name to different ids; say NAME@INTRODUCER, or the id.",
        ),
        ConnectFailure::Throttled => (
            Code::Throttled,
            "The introducer limits how often it introduces.",
        ),
        ConnectFailure::Cancelled => (Code::ConnectCancelled, "The attempt was ended here."),
        _ => (
            Code::ConnectTimedOut,
            "The peer did not answer before the time was over.",
        ),
    };
    let problem = Problem::new(code, detail);
    match code {
        Code::Throttled => problem.with_retry_after(Duration::from_secs(10)),
        _ => problem,
    }
}

/// A request that came to no good end as a problem; `Ok` is the body of a good answer.
pub(crate) fn request_outcome(outcome: RequestOutcome) -> Result<bytes::Bytes, Problem> {
    let answer = match outcome {
        RequestOutcome::Answered(answer) => answer,
        RequestOutcome::TimedOut => {
            let detail = "No answer came before the deadline.";
            return Err(Problem::new(Code::RequestTimedOut, detail));
        }
        RequestOutcome::Cancelled => {
            let detail = "The request was given up before an answer came.";
            return Err(Problem::new(Code::RequestCancelled, detail));
        }
        RequestOutcome::Disconnected => {
            let detail = "The connection ended before an answer came.";
            return Err(Problem::new(Code::Disconnected, detail));
        }
    };
    let (code, detail) = match answer.status {
        answer_status::SUCCESS => return Ok(answer.body),
        answer_status::NO_SUCH_SERVICE => (
            Code::NoSuchService,
            "The peer offers no service of that name.",
        ),
        answer_status::REFUSED => (
            Code::ServiceRefused,
            "The peer's service refused the request.",
        ),
        answer_status::BUSY => (
            Code::ServiceBusy,
            "The peer has no room for the request now; it was not carried out.",
        ),
        answer_status::UNAVAILABLE => (
            Code::ServiceUnavailable,
            "The service's application does not run; the request was not carried out.",
        ),
        answer_status::BROKEN => (
            Code::ServiceBroken,
            "The service's application took the request and broke off.",
        ),
        answer_status::TOO_LARGE => (
            Code::AnswerTooLarge,
            "The request was carried out, but its answer does not fit one packet.",
        ),
        _ => (
            Code::ServiceFailed,
            "The peer's service answered with an error status of its own.",
        ),
    };
    let problem = Problem::new(code, detail)
        .with_header("x-p2p-answer-status", answer.status.to_string())
        .with_member("answer_status", answer.status);
    Err(if answer.body.is_empty() {
        problem
    } else {
        problem.with_member("answer_base64", base64(&answer.body))
    })
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use p2p_core::api::Answer;

    fn answered(status: u16) -> Result<Bytes, Problem> {
        let body = Bytes::from_static(b"<b>no</b>");
        request_outcome(RequestOutcome::Answered(Answer { status, body }))
    }

    #[test]
    fn answers_map_to_statuses() {
        assert_eq!(answered(0).as_deref(), Ok(&b"<b>no</b>"[..]));
        for (status, http) in [
            (1, 404),
            (2, 403),
            (3, 503),
            (4, 503),
            (5, 502),
            (6, 502),
            (7, 502),
            (16, 502),
            (u16::MAX, 502),
        ] {
            let problem = answered(status).unwrap_err();
            assert_eq!(problem.status(), http);
            assert_eq!(problem.body()["answer_status"], status);
            assert!(!problem.body().to_string().contains('<'), "no markup");
        }
        for (outcome, http) in [
            (RequestOutcome::TimedOut, 504),
            (RequestOutcome::Disconnected, 502),
            (RequestOutcome::Cancelled, 409),
        ] {
            assert_eq!(request_outcome(outcome).unwrap_err().status(), http);
        }
    }

    #[test]
    fn connect_failures_have_their_own_codes() {
        for (reason, http) in [
            (ConnectFailure::UnknownPeer, 404),
            (ConnectFailure::Refused, 403),
            (ConnectFailure::TimedOut, 504),
            (ConnectFailure::KeyMismatch, 403),
            (ConnectFailure::Throttled, 429),
            (ConnectFailure::Cancelled, 409),
            (ConnectFailure::IntroducerUnreachable, 503),
        ] {
            assert_eq!(connect_failed(reason).status(), http);
        }
    }

    #[test]
    fn limits_say_which_and_too_large_says_how_much() {
        let limit = p2p_core::api::LimitReached {
            limit: "STREAMS_PER_PEER",
            value: 256,
        };
        let problem = Problem::from(ApiMisuse::Limit(limit));
        assert_eq!(problem.body()["limit"], "STREAMS_PER_PEER");
        assert_eq!(problem.all_headers(), [("retry-after", "1".to_owned())]);
        let problem = Problem::from(ApiMisuse::TooLarge { limit_bytes: 1_080 });
        assert_eq!(problem.body()["limit_bytes"], 1_080);
        assert_eq!(problem.body()["detail"], "At most 1080 bytes fit.");
    }
}
