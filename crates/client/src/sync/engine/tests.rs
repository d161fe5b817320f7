use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([3; 32])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn row(order: i64, kind: Kind, identity: Option<i64>) -> Row {
    Row {
        id: format!("{order:03}"),
        kind,
        identity,
        order,
        attempts: 0,
        next_attempt_at: Timestamp::UNIX_EPOCH,
        error: None,
        is_wedged: false,
        route: Route::Direct,
    }
}

fn later(code: &str) -> Verdict {
    Verdict::Later {
        code: code.into(),
        retry_after: None,
    }
}

fn wedged(code: &str) -> Verdict {
    Verdict::Wedged { code: code.into() }
}

fn answer(id: &str, verdict: Verdict) -> Event {
    Event::Answered {
        id: id.into(),
        verdict,
    }
}

/// An engine in a world of its own: what it was given, what it let go, what is on its way.
struct Watched {
    engine: Engine,
    rng: ChaCha20Rng,
    now: Timestamp,
    rows: BTreeMap<String, Row>,
    gone: BTreeSet<String>,
    enrolled: BTreeSet<i64>,
    on_its_way: Vec<String>,
    asked: Option<Effect>,
    sends: BTreeMap<String, usize>,
}

impl Watched {
    fn new(rows: Vec<Row>) -> Self {
        let mut watched = Self {
            engine: Engine::new(),
            rng: rng(),
            now: at(0),
            rows: BTreeMap::new(),
            gone: BTreeSet::new(),
            enrolled: BTreeSet::new(),
            on_its_way: Vec::new(),
            asked: None,
            sends: BTreeMap::new(),
        };
        for row in rows {
            watched.rows.insert(row.id.clone(), row.clone());
            watched.event(Event::Added(row));
        }
        watched
    }

    /// Gives the event and checks every effect against the rules.
    fn event(&mut self, event: Event) -> Vec<Effect> {
        let acknowledged = match &event {
            Event::Answered {
                id,
                verdict: Verdict::Acknowledged,
            } => Some(id.clone()),
            _ => None,
        };
        if let Event::Answered { id, .. } = &event {
            self.on_its_way.retain(|sent| sent != id);
        }
        let gives_up = matches!(event, Event::Tick | Event::ConnectionFailed { .. });
        let effects = self.engine.handle(event, self.now, &mut self.rng);
        for effect in &effects {
            match effect {
                Effect::Delete(id) => {
                    assert_eq!(acknowledged.as_ref(), Some(id), "deleted without an answer");
                    assert!(self.gone.insert(id.clone()), "{id} acknowledged twice");
                    let row = self.rows.remove(id).unwrap();
                    if row.kind == Kind::Enrolment {
                        self.enrolled.extend(row.identity);
                    }
                }
                Effect::Persist(row) => {
                    assert!(self.rows.contains_key(&row.id), "a row comes back");
                    self.rows.insert(row.id.clone(), row.clone());
                }
                Effect::Send(ids) => {
                    assert!(!ids.is_empty() && ids.len() <= BATCH);
                    assert!(self.on_its_way.is_empty(), "two requests at once");
                    for id in ids {
                        let row = &self.rows[id];
                        assert!(!row.is_wedged && row.route != Route::Courier);
                        assert!(ids.len() == 1 || row.kind == Kind::AuditEvent);
                        assert!(match (row.route, row.kind) {
                            (Route::Direct, Kind::Acceptance) =>
                                self.enrolled.contains(&row.identity.unwrap()),
                            (Route::Direct, Kind::AuditEvent | Kind::DeviceRefusal) =>
                                !self.enrolled.is_empty(),
                            _ => true,
                        });
                        *self.sends.entry(id.clone()).or_default() += 1;
                    }
                    self.on_its_way.clone_from(ids);
                }
                Effect::WaitUntil(_) if gives_up => self.on_its_way.clear(),
                Effect::WaitUntil(_) => assert!(self.on_its_way.is_empty()),
                Effect::Connect | Effect::Receive => self.asked = Some(effect.clone()),
                Effect::Refuse { .. } | Effect::Readmit(_) => {}
            }
        }
        let index: BTreeMap<_, _> = self
            .engine
            .rows()
            .map(|row| (row.id.clone(), row.attempts))
            .collect();
        let kept: BTreeMap<_, _> = self
            .rows
            .values()
            .map(|row| (row.id.clone(), row.attempts))
            .collect();
        assert_eq!(index, kept, "what is kept is what is known");
        effects
    }

    /// A server that is there, but has not answered for any item yet.
    fn greet(&mut self) {
        match self.asked.take() {
            Some(Effect::Connect) => {
                self.event(Event::Connected);
            }
            Some(Effect::Receive) => {
                self.event(Event::Received);
            }
            _ => {}
        }
    }

    /// One step of a server that is there and answers `verdict(id)`.
    fn serve(&mut self, verdict: &mut dyn FnMut(&str) -> Verdict) {
        self.greet();
        for id in self.on_its_way.clone() {
            let verdict = verdict(&id);
            self.event(answer(&id, verdict));
        }
    }

    /// Time goes by until nothing is left to send, or `hours` are over.
    fn run(&mut self, hours: i64, verdict: &mut dyn FnMut(&str) -> Verdict) {
        for _ in 0..hours * 120 {
            self.now += SignedDuration::from_secs(30);
            self.event(Event::Tick);
            for _ in 0..4 {
                self.serve(verdict);
            }
        }
    }
}

fn rows_of_two() -> Vec<Row> {
    vec![
        row(1, Kind::AuditEvent, None),
        row(2, Kind::Acceptance, Some(1)),
        row(3, Kind::DeviceRefusal, None),
        row(4, Kind::Enrolment, Some(1)),
        row(5, Kind::Enrolment, Some(2)),
        row(6, Kind::Acceptance, Some(2)),
        row(7, Kind::AuditEvent, None),
        row(8, Kind::AuditEvent, None),
    ]
}

#[test]
fn no_input_no_output_no_clock() {
    let source = include_str!("../engine.rs");
    for name in [
        "tokio",
        "sqlx",
        "reqwest",
        "async",
        "std::fs",
        "std::net",
        "Instant",
        "SystemTime",
        "::now()",
        "getrandom",
    ] {
        assert!(!source.contains(name), "{name}");
    }
}

#[test]
fn enrolments_first_then_decisions_then_the_rest() {
    let mut world = Watched::new(rows_of_two());
    assert_eq!(world.engine.phase(), Phase::Waiting);
    assert_eq!(world.event(Event::Begin), [Effect::Connect]);
    assert_eq!(world.engine.phase(), Phase::Connecting);
    let mut order = Vec::new();
    let mut effects = world.event(Event::Connected);
    while let Some(Effect::Send(ids)) = effects.last().cloned() {
        assert_eq!(world.engine.phase(), Phase::Sending);
        for id in &ids {
            effects = world.event(answer(id, Verdict::Acknowledged));
        }
        order.push(ids.join("+"));
    }
    assert_eq!(order, ["004", "005", "002", "006", "003", "001+007+008"]);
    assert_eq!(effects.last(), Some(&Effect::Receive));
    assert_eq!(world.engine.phase(), Phase::Receiving);
    assert_eq!(world.event(Event::Received), [Effect::WaitUntil(None)]);
    assert_eq!(world.engine.phase(), Phase::Idle);
}

#[test]
fn a_refused_enrolment_wedges_its_person_alone_and_can_be_retried() {
    let mut world = Watched::new(rows_of_two());
    let mut verdict = |id: &str| match id {
        "004" => wedged("code-used"),
        _ => Verdict::Acknowledged,
    };
    world.run(1, &mut verdict);
    let left: Vec<_> = world.rows.values().map(|row| row.id.as_str()).collect();
    assert_eq!(left, ["002", "004"]);
    assert_eq!(world.engine.phase(), Phase::Wedged);
    assert_eq!(world.engine.next_attempt(world.now), None);
    // A decision that is signed later under the same keys is wedged at once.
    let late = row(9, Kind::Acceptance, Some(1));
    world.rows.insert(late.id.clone(), late.clone());
    world.event(Event::Added(late));
    assert_eq!(
        world.rows["009"].error.as_deref(),
        Some("code-used"),
        "{:?}",
        world.rows
    );

    // The same for one that another process signed.
    let mut engine = Engine::new();
    let mut refused = row(1, Kind::Enrolment, Some(1));
    (refused.is_wedged, refused.error) = (true, Some("code-used".into()));
    let rows = vec![refused, row(2, Kind::Acceptance, Some(1))];
    let enrolled = BTreeSet::new();
    let effects = engine.handle(Event::Loaded { rows, enrolled }, at(0), &mut rng());
    assert!(
        matches!(&effects[..], [Effect::Persist(row)] if row.id == "002" && row.is_wedged),
        "{effects:?}"
    );

    let effects = world.event(Event::RetryItem("002".into()));
    assert!(effects.contains(&Effect::Readmit(1)));
    world.run(1, &mut |_| Verdict::Acknowledged);
    assert!(world.rows.is_empty());
}

#[test]
fn an_enrolment_posted_again_and_refused_takes_no_keys_away() {
    let mut engine = Engine::new();
    let rows = vec![row(1, Kind::Enrolment, Some(1))];
    let enrolled = BTreeSet::from([1]);
    engine.handle(Event::Loaded { rows, enrolled }, at(0), &mut rng());
    for event in [Event::Begin, Event::Connected] {
        engine.handle(event, at(0), &mut rng());
    }
    let effects = engine.handle(answer("001", wedged("code-wrong")), at(1), &mut rng());
    assert!(matches!(&effects[0], Effect::Persist(row) if row.is_wedged));
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Refuse { .. }))
    );
}

#[test]
fn two_silent_requests_end_the_round_and_the_others_go_first_in_the_next() {
    let rows = (1..=4)
        .map(|n| row(n, Kind::Enrolment, Some(n)))
        .collect::<Vec<_>>();
    let mut world = Watched::new(rows);
    let silent = || Verdict::Silent {
        code: "server-slow".into(),
    };
    world.event(Event::Begin);
    world.event(Event::Connected);
    world.event(answer("001", silent()));
    let effects = world.event(answer("002", silent()));
    assert!(
        matches!(effects.last(), Some(Effect::WaitUntil(Some(_)))),
        "{effects:?}"
    );
    world.event(Event::RetryNow);
    world.event(Event::Begin);
    let effects = world.event(Event::Connected);
    assert_eq!(effects.last(), Some(&Effect::Send(vec!["003".into()])));
}

#[test]
fn a_busy_server_is_left_in_peace() {
    let mut world = Watched::new(vec![
        row(1, Kind::Enrolment, Some(1)),
        row(2, Kind::Enrolment, Some(2)),
    ]);
    world.event(Event::Begin);
    world.event(Event::Connected);
    let busy = Verdict::Busy {
        code: "server-refused".into(),
        retry_after: Some(Duration::from_mins(10)),
    };
    assert_eq!(
        world.event(answer("001", busy)).last(),
        Some(&Effect::Receive)
    );
    let effects = world.event(Event::Received);
    let Some(Effect::WaitUntil(Some(until))) = effects.last() else {
        panic!("{effects:?}");
    };
    assert!(*until >= at(600) && *until <= at(600 + 600), "{until}");
    world.now = at(500);
    assert_eq!(world.event(Event::Tick), []);
    world.now = *until;
    assert_eq!(world.event(Event::Tick), [Effect::Connect]);
}

#[test]
fn a_bad_event_takes_no_companions_along() {
    let mut rows: Vec<_> = (1..=100).map(|n| row(n, Kind::AuditEvent, None)).collect();
    rows.push(row(0, Kind::Enrolment, Some(1)));
    let mut world = Watched::new(rows);
    for _ in 0..24 * 360 {
        world.now += SignedDuration::from_secs(10);
        world.event(Event::Tick);
        for _ in 0..4 {
            world.greet();
            // Every request with the bad one in it fails as a whole.
            let is_poisoned = world.on_its_way.iter().any(|id| id == "050");
            world.serve(&mut |_| {
                if is_poisoned {
                    later("server-refused")
                } else {
                    Verdict::Acknowledged
                }
            });
        }
    }
    assert_eq!(world.rows.keys().collect::<Vec<_>>(), ["050"]);
}

#[test]
fn a_clock_that_was_ahead_delays_nothing_for_long() {
    let mut world = Watched::new(vec![row(1, Kind::Enrolment, Some(1))]);
    let year = SignedDuration::from_hours(365 * 24);
    world.now += year;
    world.event(Event::Begin);
    world.event(Event::Connected);
    world.event(answer("001", later("server-failed")));
    world.event(Event::Received);
    world.now -= year;
    world.run(1, &mut |_| Verdict::Acknowledged);
    assert!(world.rows.is_empty());
}

#[test]
fn an_answer_that_never_comes_is_given_up_and_counts_when_it_does() {
    let mut world = Watched::new(vec![row(1, Kind::Enrolment, Some(1))]);
    world.event(Event::Begin);
    world.event(Event::Connected);
    world.now += SignedDuration::from_mins(4);
    world.event(Event::Tick);
    assert_eq!(world.rows["001"].error.as_deref(), Some("server-slow"));
    // Late: a refusal of an attempt that was given up says nothing, an acknowledgement is one.
    assert_eq!(world.event(answer("001", wedged("code-used"))), []);
    assert_eq!(
        world.event(answer("001", Verdict::Acknowledged)),
        [Effect::Delete("001".into())]
    );
    assert_eq!(world.event(answer("001", Verdict::Acknowledged)), []);
}

#[test]
fn what_only_a_courier_can_carry_waits_and_orphaned_events_go() {
    let courier = Row {
        route: Route::Courier,
        ..row(1, Kind::Acceptance, None)
    };
    let orphan = Row {
        route: Route::Orphan,
        ..row(2, Kind::AuditEvent, None)
    };
    let mut world = Watched::new(vec![courier, orphan]);
    world.run(1, &mut |_| Verdict::Acknowledged);
    assert_eq!(world.rows.keys().collect::<Vec<_>>(), ["001"]);
    assert_eq!(world.engine.phase(), Phase::Wedged);
    assert_eq!(world.engine.next_attempt(world.now), None);
    world.rows.remove("001");
    world.event(Event::Removed("001".into()));
    assert_eq!(world.engine.phase(), Phase::Idle);
}

#[test]
fn the_connection_comes_back_and_what_waited_for_it_goes_at_once() {
    let mut world = Watched::new(rows_of_two());
    for _ in 0..10 {
        world.event(Event::Begin);
        world.event(Event::ConnectionFailed {
            code: UNREACHABLE.into(),
        });
    }
    // Once, when it was due; the many events are left as they are.
    assert!(world.rows["004"].attempts == 1 && world.rows["001"].attempts == 0);
    assert!(world.engine.next_attempt(world.now).unwrap() > world.now);
    world.event(Event::Begin);
    for _ in 0..20 {
        world.serve(&mut |_| Verdict::Acknowledged);
    }
    assert!(world.rows.is_empty());
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Acknowledged),
        2 => Just(later("server-failed")),
        1 => (0..10_000u64).prop_map(|seconds| Verdict::Later {
            code: "server-failed".into(),
            retry_after: Some(Duration::from_secs(seconds)),
        }),
        1 => (0..10_000u64).prop_map(|seconds| Verdict::Busy {
            code: "server-refused".into(),
            retry_after: Some(Duration::from_secs(seconds)),
        }),
        2 => Just(Verdict::Silent { code: "server-slow".into() }),
        1 => Just(wedged("server-refused")),
    ]
}

/// What the world may do to the engine.
#[derive(Debug, Clone)]
enum Step {
    Event(Event),
    /// The item with this number, whether it is on its way or not, even when it is gone.
    Answer(i64, Verdict),
    /// What is on its way, in some order, some twice.
    Answers(Verdict),
    Add(i64),
    /// Seconds, also backwards.
    Time(i64),
    /// The process ends and starts: only what was persisted is left.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Event(Event::Begin)),
        3 => Just(Step::Event(Event::Tick)),
        5 => Just(Step::Event(Event::Connected)),
        2 => Just(Step::Event(Event::Received)),
        1 => Just(Step::Event(Event::RetryNow)),
        1 => Just(Step::Event(Event::ConnectionFailed { code: UNREACHABLE.into() })),
        1 => (0..12i64).prop_map(|n| Step::Event(Event::RetryItem(format!("{n:03}")))),
        3 => ((0..12i64), verdicts()).prop_map(|(n, verdict)| Step::Answer(n, verdict)),
        6 => verdicts().prop_map(Step::Answers),
        1 => (20..30i64).prop_map(Step::Add),
        3 => (0..2000i64).prop_map(Step::Time),
        1 => (-100_000..100_000i64).prop_map(Step::Time),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..120)
}

fn take(world: &mut Watched, step: Step) {
    match step {
        Step::Event(event) => {
            world.event(event);
        }
        Step::Answer(n, verdict) => {
            world.event(answer(&format!("{n:03}"), verdict));
        }
        Step::Answers(verdict) => {
            for id in world.on_its_way.clone() {
                world.event(answer(&id, verdict.clone()));
                world.event(answer(&id, verdict.clone()));
            }
        }
        Step::Add(n) => {
            let row = row(n, Kind::AuditEvent, None);
            if !world.rows.contains_key(&row.id) && !world.gone.contains(&row.id) {
                world.rows.insert(row.id.clone(), row.clone());
                world.event(Event::Added(row));
            }
        }
        Step::Time(seconds) => world.now += SignedDuration::from_secs(seconds),
        Step::Crash => {
            world.engine = Engine::new();
            world.on_its_way.clear();
            world.asked = None;
            let rows = world.rows.values().cloned().collect();
            let enrolled = world.enrolled.clone();
            world.event(Event::Loaded { rows, enrolled });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, `Watched` finds nothing lost, doubled or out of order; and afterwards an honest server gets everything
    /// that was not refused for good, in spite of one item that never succeeds.
    #[test]
    fn nothing_is_lost_doubled_or_starved(steps in steps(), bad in 0..12i64) {
        let mut world = Watched::new(rows_of_two());
        for step in steps {
            take(&mut world, step);
        }
        let bad = format!("{bad:03}");
        world.run(6, &mut |id| {
            if id == bad {
                Verdict::Silent { code: "server-slow".into() }
            } else {
                Verdict::Acknowledged
            }
        });
        let bad_identity = world.rows.get(&bad).filter(|row| row.kind == Kind::Enrolment).and_then(|row| row.identity);
        for row in world.rows.values() {
            let waits_for_bad = row.id == bad
                || (row.kind == Kind::Acceptance && row.identity == bad_identity)
                || (row.kind != Kind::Enrolment && world.enrolled.is_empty());
            prop_assert!(row.is_wedged || waits_for_bad, "{row:?} starves");
        }
    }
}
