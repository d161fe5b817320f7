//! A world: clients, a server, a network and what happens to them, all from one seed; and the oracle that looks after every step.

use std::time::Duration;

use infoblood_agreement::{enrolment_code::EnrolmentCode, sealed::Kind};
use infoblood_client::sync::engine::Event;
use jiff::Timestamp;

use crate::{
    chance::Chance,
    client::{Client, Died, unreachable},
    courier::{Bag, Content},
    network::{Answer, Network, Packet, Question},
    server::{BEGINNING, Server},
};

const CLIENTS: usize = 4;
/// Each for one person; a client may also try one that somebody else has.
const CODES: usize = 7;
/// Between two full looks into the server's database.
const FULL_LOOK: u64 = 20;

/// What a world saw.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) told: u64,
    pub(crate) registered: u64,
    pub(crate) audited: u64,
    pub(crate) refused: u64,
    pub(crate) client_deaths: u64,
    pub(crate) server_deaths: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) changed: u64,
    pub(crate) carried: u64,
    pub(crate) answers: u64,
    pub(crate) answers_refused: u64,
    pub(crate) files_damaged: u64,
    pub(crate) files_lost: u64,
}

pub(crate) struct World {
    chance: Chance,
    server: Server,
    clients: Vec<Client>,
    network: Network,
    bag: Bag,
    codes: Vec<(String, EnrolmentCode)>,
    /// Milliseconds since the beginning.
    now: u64,
    /// Until when a client's packets get nowhere, and until when the server is down.
    cut: [u64; CLIENTS],
    down: u64,
    counts: Counts,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let server = Server::new(&mut chance).await;
        let mut codes = Vec::new();
        for n in 0..CODES {
            codes.push(server.person(&format!("person-{n}"), &mut chance).await);
        }
        let clients = (0..CLIENTS)
            .map(|_| Client::new(server.key_set(), server.authority(), &mut chance))
            .collect();
        Self {
            chance,
            server,
            clients,
            network: Network::default(),
            bag: Bag::default(),
            codes,
            now: 0,
            cut: [0; CLIENTS],
            down: 0,
            counts: Counts::default(),
        }
    }

    /// So many steps of anything, then calm until all is at rest.
    pub(crate) async fn play(mut self, steps: u64) -> Counts {
        for step in 0..steps {
            self.step().await;
            self.look();
            if step % FULL_LOOK == 0 {
                self.server.check().await;
            }
        }
        self.calm().await;
        self.counts.steps = steps;
        self.counts.registered = self.server.registered.len() as u64;
        self.counts.audited = self.server.audited.len() as u64;
        self.counts.server_deaths = self.server.deaths;
        self.counts.lost = self.network.lost;
        self.counts.doubled = self.network.doubled;
        self.counts.changed = self.network.changed;
        self.counts.files_damaged = self.bag.damaged;
        self.counts.files_lost = self.bag.lost;
        for client in &self.clients {
            self.counts.told += client.told.len() as u64;
            self.counts.client_deaths += client.deaths;
            self.counts.refused += client.disk.refused.len() as u64;
        }
        self.counts
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(BEGINNING * 1000 + i64::try_from(self.now).unwrap()).unwrap()
    }

    fn go_to(&mut self, at: u64) {
        let before = self.now / 1000;
        self.now = self.now.max(at);
        let seconds = self.now / 1000 - before;
        self.server.time_goes_by(Duration::from_secs(seconds));
    }

    async fn step(&mut self) {
        let client = usize::try_from(self.chance.below(CLIENTS as u64)).unwrap();
        match self.chance.below(108) {
            0..42 => self.arrive().await,
            42..57 => {
                let wait = self.chance.below(90_000);
                self.go_to(self.now + wait);
                for client in 0..CLIENTS {
                    self.event(client, Event::Tick);
                }
            }
            57..61 => self.event(client, Event::Begin),
            61..64 => self.event(client, Event::RetryNow),
            64 => {
                let wedged = self.clients[client].wedged();
                if let Some(id) = self.chance.pick(&wedged).cloned() {
                    self.event(client, Event::RetryItem(id));
                }
            }
            65..82 => self.sign(client),
            82..86 => self.clients[client].fuse = Some(self.chance.below(5)),
            86..89 => self.restart(client),
            89..91 => {
                self.server.die().await;
                self.down = self.now + self.chance.below(30_000);
            }
            91..95 => self.cut[client] = self.now + self.chance.below(400_000),
            95..98 => self.clients[client].clock = self.chance.around(3 * 24 * 3600 * 1000),
            98..100 => self.clients[client].clock = 0,
            100..103 => {
                let (bytes, items) = self.clients[client].export(&mut self.chance);
                let content = Content::Request {
                    from: client,
                    items,
                };
                self.bag.put(bytes, content, &mut self.chance);
            }
            _ => self.carry().await,
        }
    }

    fn sign(&mut self, client: usize) {
        let (now, chance) = (self.time(), &mut self.chance);
        let signer = &mut self.clients[client];
        let done = match chance.below(10) {
            0..3 if signer.identities() < 3 => {
                // Sometimes a code that another client has used, or is using.
                let own = (client + signer.identities() * CLIENTS) % CODES;
                let at = if chance.percent(20) {
                    usize::try_from(chance.below(CODES as u64)).unwrap()
                } else {
                    own
                };
                let (person_id, code) = &self.codes[at];
                signer.enrol(person_id, code, now, chance)
            }
            0..5 => signer.decide(now, chance),
            5 => signer.decline(now, chance),
            _ => signer.look(now, chance),
        };
        if let Err(Died) = done {
            self.restart(client);
        }
    }

    /// Some file comes to where it goes, or an answer to somebody else. It stays in the bag: it may come again.
    async fn carry(&mut self) {
        let at = self.chance.below(self.bag.files.len() as u64);
        let Some(file) = self.bag.files.get(usize::try_from(at).unwrap()).cloned() else {
            return;
        };
        match file.content {
            Content::Request { from, items } => {
                if self.down > self.now {
                    return;
                }
                let is_interrupted = self.chance.percent(10);
                let answer = self.server.carry(&file.bytes, &items, is_interrupted).await;
                assert!(
                    !file.is_damaged || answer.is_none(),
                    "a damaged request was answered"
                );
                if let Some(answer) = answer {
                    self.counts.carried += 1;
                    let content = Content::Answer { to: from };
                    self.bag.put(answer, content, &mut self.chance);
                }
            }
            Content::Answer { to } => {
                let is_astray = self.chance.percent(15);
                let reader = if is_astray { (to + 1) % CLIENTS } else { to };
                let now = self.time();
                let result = self.clients[reader].read_answer(&file.bytes, now, &mut self.chance);
                match result {
                    Ok(Ok(())) => {
                        assert!(!file.is_damaged && !is_astray, "read what is not for it");
                        assert!(!file.is_read, "the same answer was read twice");
                        // Copies of it are the same answer.
                        for copy in &mut self.bag.files {
                            copy.is_read |= copy.bytes == file.bytes;
                        }
                        self.counts.answers += 1;
                    }
                    Ok(Err(_)) => self.counts.answers_refused += 1,
                    Err(Died) => self.restart(reader),
                }
            }
        }
    }

    fn restart(&mut self, client: usize) {
        let now = self.time();
        self.clients[client].restart(now, &mut self.chance);
    }

    fn event(&mut self, client: usize, event: Event) {
        let now = self.time();
        match self.clients[client].take(event, now, &mut self.chance) {
            Ok(questions) => {
                for question in questions {
                    self.ask(client, &question);
                }
            }
            Err(Died) => self.restart(client),
        }
    }

    fn ask(&mut self, client: usize, question: &Question) {
        let is_cut = self.cut[client] > self.now || self.down > self.now;
        if !is_cut {
            self.network
                .ask(self.now, client, question, &mut self.chance);
        } else if self.chance.percent(60) {
            // Told at once that nobody is there; otherwise it waits in vain.
            self.event(client, unreachable());
        }
    }

    async fn arrive(&mut self) {
        let Some(at) = self.network.next() else {
            return;
        };
        self.go_to(at);
        let Some((client, packet)) = self.network.arrive() else {
            return;
        };
        if self.cut[client] > self.now {
            self.network.lost += 1;
            return;
        }
        match packet {
            Packet::Question(question) => {
                if self.down > self.now {
                    self.network.lost += 1;
                    return;
                }
                let answer = self.serve(question).await;
                // It dies after the commit and before the answer.
                if !self.network.is_calm && self.chance.percent(2) {
                    self.server.die().await;
                    return;
                }
                self.network
                    .answer(self.now, client, answer, &mut self.chance);
            }
            Packet::Answer(answer) => {
                for event in self.clients[client].judge(answer) {
                    self.event(client, event);
                }
            }
        }
    }

    async fn serve(&mut self, question: Question) -> Answer {
        match question {
            Question::Probe => Answer::Probe,
            Question::Statement { id, kind, bytes } => Answer::Statement {
                id,
                kind,
                result: self.server.take(kind, &bytes).await,
            },
            Question::AuditEvents(items) => {
                let mut ids = Vec::new();
                let mut statuses = Vec::new();
                for (id, sealed) in items {
                    statuses.push(self.server.take_audit_event(&id, &sealed).await);
                    ids.push(id);
                }
                Answer::AuditEvents {
                    ids,
                    result: Ok(statuses),
                }
            }
        }
    }

    /// The oracle, after every step.
    fn look(&self) {
        for client in &self.clients {
            let disk = &client.disk;
            let is_at_server = |id: &str| match disk.statements.get(id) {
                Some(statement) => self.server.registered.contains_key(&statement.leaf),
                None => self.server.audited.contains_key(id),
            };
            for id in &client.told {
                assert!(
                    disk.rows.contains_key(id) || is_at_server(id),
                    "told and lost: {id}"
                );
            }
            for (id, statement) in &disk.statements {
                match &statement.receipt {
                    Some(receipt) => assert_eq!(
                        self.server.registered.get(&statement.leaf),
                        Some(receipt),
                        "a receipt that the log did not give: {id}"
                    ),
                    None => assert!(
                        disk.rows.contains_key(id),
                        "deleted and not registered: {id}"
                    ),
                }
            }
            for id in disk.files.keys().filter(|id| !disk.rows.contains_key(*id)) {
                assert!(is_at_server(id), "a file of nothing: {id}");
            }
        }
    }

    /// No more faults: what was told gets to the server, except what it refused for good.
    async fn calm(&mut self) {
        self.network.is_calm = true;
        self.down = 0;
        self.cut = [0; CLIENTS];
        for client in 0..CLIENTS {
            self.clients[client].clock = 0;
            self.restart(client);
        }
        for _ in 0..24 * 60 {
            while self.network.next().is_some() {
                self.arrive().await;
                self.look();
            }
            self.go_to(self.now + 60_000);
            for client in 0..CLIENTS {
                self.event(client, Event::Tick);
            }
        }
        self.look();
        self.server.check().await;
        for client in &self.clients {
            let disk = &client.disk;
            let has_enrolled = disk
                .statements
                .values()
                .any(|statement| statement.kind == Kind::Enrolment && statement.receipt.is_some());
            for (row, _) in disk.rows.values() {
                let is_refused = row.is_wedged
                    && row
                        .identity
                        .is_some_and(|identity| disk.refused.contains_key(&identity));
                let has_nobody = !has_enrolled && row.identity.is_none();
                assert!(is_refused || has_nobody, "left behind: {row:?}");
            }
            let (files, rows): (Vec<_>, Vec<_>) =
                (disk.files.keys().collect(), disk.rows.keys().collect());
            assert_eq!(files, rows, "a file for each row and no other");
            if has_enrolled {
                let gaps = self.server.open_gaps(&client.keys.device_id()).await;
                assert_eq!(gaps, 0, "the chain of audit events is whole");
            }
        }
    }
}
