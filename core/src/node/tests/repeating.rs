//! Requests and answers that get lost on a path of 20 ms: each comes again after about one round trip, long before
//! the clock of 250 ms, is executed once and ends once.

use bytes::Bytes;

use super::{Datagram, Fate, Net, address, call, count, pair};
use crate::api::{Accepted, Answer, Command, Event, RequestId, RequestOutcome};
use crate::id::NodeId;
use crate::time::Duration;

const ONE_WAY: Duration = Duration::from_millis(10);
/// One round trip, the delay of an acknowledgement, what the round trips varied, and one way: "about one round trip".
const REPEATED_WITHIN: Duration = Duration::from_millis(60);
/// Bodies of this size tell the datagrams that matter.
const LARGE: usize = 700;

fn is_large(datagram: &Datagram) -> bool {
    datagram.bytes.len() > LARGE
}

/// Lets `drops` lose datagrams, and the others take 10 ms.
fn set_line(net: &mut Net, mut drops: impl FnMut(&Datagram) -> bool + 'static) {
    net.set_tap(move |_, datagram| match drops(datagram) {
        true => Fate::Drop,
        false => Fate::Late(ONE_WAY - Duration::from_millis(1)),
    });
}

/// Ada (2) and ben (3), connected over 20 ms, which both have measured.
fn measured() -> (Net, NodeId, NodeId) {
    let (mut net, ada, ben) = pair();
    set_line(&mut net, |_| false);
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(2));
    for _ in 0..30 {
        net.order(2, Command::Ping(ben));
        net.order(3, Command::Ping(ada));
        net.run(Duration::from_millis(100));
    }
    net.events_of(ada);
    net.events_of(ben);
    (net, ada, ben)
}

fn ask(net: &mut Net, peer: NodeId) -> RequestId {
    let order = Command::SendRequest {
        peer,
        service: "echo".to_owned(),
        budget: 0,
        body: Bytes::from(vec![1; LARGE]),
        deadline: Duration::from_secs(5),
    };
    match net.order(2, order) {
        Accepted::Request(request) => request,
        other => panic!("not a request: {other:?}"),
    }
}

fn answer(net: &mut Net, peer: NodeId, request: RequestId) {
    let body = Bytes::from(vec![2; LARGE]);
    let answer = Answer { status: 0, body };
    net.order(
        3,
        Command::Answer {
            peer,
            request,
            answer,
        },
    );
}

/// How long until `who` is told what `is_it` looks for; the events stay.
fn wait_for(net: &mut Net, who: NodeId, is_it: impl Fn(&Event) -> bool) -> Duration {
    let start = net.now;
    for _ in 0..2_000 {
        net.run(Duration::from_millis(1));
        if net
            .events
            .get(&who)
            .is_some_and(|events| count(events, &is_it) > 0)
        {
            return net.now.saturating_since(start);
        }
    }
    panic!("not told within two seconds");
}

fn is_question(event: &Event) -> bool {
    matches!(event, Event::RequestReceived { .. })
}

fn is_answered(event: &Event) -> bool {
    matches!(
        event,
        Event::RequestDone {
            outcome: RequestOutcome::Answered(_),
            ..
        }
    )
}

/// Whatever was repeated, it was carried out once and ended once.
fn assert_once(net: &mut Net, ada: NodeId, ben: NodeId) {
    set_line(net, |_| false);
    net.run(Duration::from_secs(10));
    let done = |event: &Event| matches!(event, Event::RequestDone { .. });
    assert_eq!(count(&net.events_of(ben), is_question), 1);
    assert_eq!(count(&net.events_of(ada), done), 1);
}

/// Protocol §8.1.
#[test]
fn a_lost_request_comes_again_after_about_one_round_trip() {
    let (mut net, ada, ben) = measured();
    let mut lost = false;
    set_line(&mut net, move |d| {
        is_large(d) && !core::mem::replace(&mut lost, true)
    });
    let request = ask(&mut net, ben);
    let after = wait_for(&mut net, ben, is_question);
    assert!(after > ONE_WAY * 2 && after <= REPEATED_WITHIN, "{after:?}");
    answer(&mut net, ada, request);
    wait_for(&mut net, ada, is_answered);
    assert_once(&mut net, ada, ben);
}

#[test]
fn a_lost_answer_comes_again_though_nobody_asks_again() {
    let (mut net, ada, ben) = measured();
    let request = ask(&mut net, ben);
    wait_for(&mut net, ben, is_question);
    let mut lost = false;
    // Every repetition of the question gets lost too: only the side that answers can know.
    set_line(&mut net, move |d| {
        let mut is_first_answer = || d.from == address(3) && !core::mem::replace(&mut lost, true);
        is_large(d) && (d.from == address(2) || is_first_answer())
    });
    answer(&mut net, ada, request);
    let after = wait_for(&mut net, ada, is_answered);
    assert!(after > ONE_WAY * 2 && after <= REPEATED_WITHIN, "{after:?}");
    assert_once(&mut net, ada, ben);
}

#[test]
fn of_a_burst_of_requests_the_lost_one_comes_again_by_the_acknowledgements_of_the_others() {
    let (mut net, ada, ben) = measured();
    let mut large = 0;
    set_line(&mut net, move |d| {
        large += u32::from(is_large(d));
        is_large(d) && large == 1
    });
    let requests: Vec<_> = (0..6).map(|_| ask(&mut net, ben)).collect();
    let first = requests[0];
    let is_first =
        |e: &Event| matches!(e, Event::RequestReceived { request, .. } if *request == first);
    let after = wait_for(&mut net, ben, is_first);
    assert!(after <= REPEATED_WITHIN, "{after:?}");
    for request in requests {
        answer(&mut net, ada, request);
    }
    net.run(Duration::from_secs(5));
    assert_eq!(count(&net.events_of(ben), is_question), 6);
    assert_eq!(count(&net.events_of(ada), is_answered), 6);
}

#[test]
fn what_nothing_acknowledges_is_asked_by_the_clock() {
    let (mut net, ada, ben) = measured();
    // Ben is deaf for a while; what probes brought in vain the clock brings.
    set_line(&mut net, |d| d.from == address(2));
    let request = ask(&mut net, ben);
    net.run(Duration::from_millis(900));
    set_line(&mut net, |_| false);
    let after = wait_for(&mut net, ben, is_question);
    assert!(after < Duration::from_millis(900), "{after:?}");
    answer(&mut net, ada, request);
    wait_for(&mut net, ada, is_answered);
    assert_once(&mut net, ada, ben);
}
