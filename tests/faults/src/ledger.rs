//! What people were told, and whether it is so: present exactly once on both sides.

use std::collections::BTreeSet;

use crate::report::{ClientReport, ServerReport, record};

/// Something that a person was told is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    /// An acceptance (and with it an enrolment): leaf hash, hex.
    Accepted(String),
    /// A refusal, by its number.
    Declined(i64),
    /// A look at a record, by its number.
    Looked(i64),
    /// A person's decision is registered at the server: the receipt verified.
    Registered(String),
}

impl Told {
    /// From a line of the client's process.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (what, which) = line.strip_prefix("told ")?.split_once(' ')?;
        match what {
            "accepted" => Some(Self::Accepted(which.to_owned())),
            "declined" => Some(Self::Declined(which.parse().ok()?)),
            "looked" => Some(Self::Looked(which.parse().ok()?)),
            "registered" => Some(Self::Registered(which.to_owned())),
            _ => None,
        }
    }
}

/// Counts of one fault, or of one run of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Kills, cuts, fillings, jumps.
    pub(crate) runs: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Each violated invariant in words.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// A run that did not come to its comparison.
    pub(crate) fn failed(error: &infoblood_e2e::Error) -> Self {
        Self {
            failures: vec![error.to_string()],
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.failures.extend(other.failures);
    }

    pub(crate) fn fail(&mut self, words: impl Into<String>) {
        self.failures.push(words.into());
    }

    /// Compares what one machine's people were told with what its store and the server hold.
    pub(crate) fn compare(
        &mut self,
        told: &BTreeSet<Told>,
        client: &ClientReport,
        server: &ServerReport,
    ) {
        self.acknowledged += told.len() as u64;
        for record in told {
            let (here, there) = count(record, client, server);
            if here == 0 || there == 0 {
                self.lost += 1;
                self.fail(format!("lost: {record:?}: {here} here, {there} there"));
            } else if here > 1 || there > 1 {
                self.doubled += 1;
                self.fail(format!("doubled: {record:?}: {here} here, {there} there"));
            }
        }
        self.same_statements(client, server);
        self.whole_chain(client, server);
        for error in &client.outbox {
            let code = error.as_deref().unwrap_or("none");
            self.fail(format!("an item is left in the outbox, last error {code}"));
        }
        if client.files != client.outbox.len() {
            self.fail(format!(
                "{} files for {} items in the outbox",
                client.files,
                client.outbox.len()
            ));
        }
    }

    /// The statements of both sides are the same, also those that nobody was told of before the process ended.
    fn same_statements(&mut self, client: &ClientReport, server: &ServerReport) {
        let here: BTreeSet<_> = client.statements.iter().map(|s| &s.leaf).collect();
        let there: BTreeSet<_> = server.leaves.iter().collect();
        for leaf in here.difference(&there) {
            self.lost += 1;
            self.fail(format!("statement {leaf} is not in the server's log"));
        }
        for leaf in there.difference(&here) {
            self.doubled += 1;
            self.fail(format!(
                "the server has statement {leaf}, the client has not"
            ));
        }
        if here.len() != client.statements.len() || there.len() != server.leaves.len() {
            self.doubled += 1;
            self.fail("a statement is there twice");
        }
        for statement in client.statements.iter().filter(|s| !s.has_receipt) {
            self.fail(format!("{} has no receipt", statement.leaf));
        }
        // One enrolment of each person: a second one would need a second code.
        let mut people = BTreeSet::new();
        for statement in client.statements.iter().filter(|s| s.kind == "enrolment") {
            if !people.insert(&statement.person_id) {
                self.doubled += 1;
                self.fail(format!("{:?} enrolled twice", statement.person_id));
            }
        }
    }

    /// The chain of audit events at the server is 1, 2, 3 … to the client's last, without holes, breaks and forks.
    fn whole_chain(&mut self, client: &ClientReport, server: &ServerReport) {
        let expected = 1..=client.audit_events.cast_signed();
        if !server.sequences.iter().copied().eq(expected) {
            self.fail(format!(
                "the client made {} audit events, the server has {}, the last is {:?}",
                client.audit_events,
                server.sequences.len(),
                server.sequences.last()
            ));
        }
        for gap in &server.gaps {
            self.fail(format!("the server's audit chain: {gap}"));
        }
    }
}

/// How often a record is there: at the client, at the server.
fn count(record_: &Told, client: &ClientReport, server: &ServerReport) -> (usize, usize) {
    let at_server = |leaf: &str| server.leaves.iter().filter(|l| *l == leaf).count();
    match record_ {
        Told::Accepted(leaf) => {
            let here = client.statements.iter().filter(|s| s.leaf == *leaf).count();
            (here, at_server(leaf))
        }
        Told::Declined(number) => {
            let mine = || {
                client
                    .statements
                    .iter()
                    .filter(|s| s.number == Some(*number))
            };
            (mine().count(), mine().map(|s| at_server(&s.leaf)).sum())
        }
        Told::Registered(person) => {
            let mine = || {
                client.statements.iter().filter(|s| {
                    s.kind == "acceptance" && s.has_receipt && s.person_id.as_ref() == Some(person)
                })
            };
            (mine().count(), mine().map(|s| at_server(&s.leaf)).sum())
        }
        // The client keeps the events only until they are acknowledged; its counter (see `whole_chain`) tells that none is missing.
        Told::Looked(number) => {
            let name = format!("Patient/{}", record(*number));
            (1, server.references.iter().filter(|r| **r == name).count())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ClientStatement;

    fn client() -> ClientReport {
        ClientReport {
            device_id: "d".into(),
            statements: vec![ClientStatement {
                leaf: "aa".into(),
                kind: "device-refusal".into(),
                person_id: None,
                has_receipt: true,
                number: Some(7),
            }],
            outbox: Vec::new(),
            files: 0,
            audit_events: 1,
        }
    }

    fn server() -> ServerReport {
        ServerReport {
            leaves: vec!["aa".into()],
            sequences: vec![1],
            references: vec!["Patient/fault-8".into()],
            gaps: Vec::new(),
        }
    }

    fn compared(client: &ClientReport, server: &ServerReport) -> (u64, u64, u64, usize) {
        let told = ["told declined 7", "told looked 8"];
        let told = told.iter().filter_map(|line| Told::parse(line)).collect();
        let mut tally = Tally::default();
        tally.compare(&told, client, server);
        let failures = tally.failures.len();
        (tally.acknowledged, tally.lost, tally.doubled, failures)
    }

    #[test]
    fn once_on_both_sides_is_right_and_everything_else_is_named() {
        assert_eq!(compared(&client(), &server()), (2, 0, 0, 0));

        let mut less = server();
        less.leaves.clear();
        less.references.clear();
        less.sequences.clear();
        assert_eq!(compared(&client(), &less), (2, 3, 0, 4));

        let mut more = server();
        more.leaves.push("bb".into());
        more.references.push("Patient/fault-8".into());
        more.sequences.push(3);
        more.gaps.push("missing 2-2".into());
        assert_eq!(compared(&client(), &more), (2, 0, 2, 4));

        let mut stuck = client();
        stuck.outbox.push(Some("server-refused".into()));
        stuck.statements[0].has_receipt = false;
        assert_eq!(compared(&stuck, &server()), (2, 0, 0, 3));

        let mut twice = client();
        let again = ClientStatement {
            leaf: "bb".into(),
            kind: "device-refusal".into(),
            person_id: None,
            has_receipt: true,
            number: Some(7),
        };
        twice.statements.push(again);
        let mut both = server();
        both.leaves.push("bb".into());
        assert_eq!(compared(&twice, &both), (2, 0, 1, 1));
    }
}
