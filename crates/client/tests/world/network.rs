//! A network that loses, doubles, delays and reorders what it carries, and sometimes changes it.

use std::collections::BTreeMap;

use infoblood_agreement::sealed::Kind;
use infoblood_client::transport::{ItemStatus, TransportError};

use crate::{chance::Chance, client::nonsense};

/// From a client to the server.
#[derive(Clone)]
pub(crate) enum Question {
    Probe,
    Statement {
        id: String,
        kind: Kind,
        bytes: Vec<u8>,
    },
    AuditEvents(Vec<(String, Vec<u8>)>),
}

/// From the server to a client.
pub(crate) enum Answer {
    Probe,
    Statement {
        id: String,
        kind: Kind,
        result: Result<Vec<u8>, TransportError>,
    },
    AuditEvents {
        ids: Vec<String>,
        result: Result<Vec<ItemStatus>, TransportError>,
    },
}

pub(crate) enum Packet {
    Question(Question),
    Answer(Answer),
}

#[derive(Default)]
pub(crate) struct Network {
    /// By the millisecond of arrival, then in the order of sending.
    packets: BTreeMap<(u64, u64), (usize, Packet)>,
    sent: u64,
    /// A receipt that went by before.
    seen: Option<Vec<u8>>,
    pub(crate) is_calm: bool,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) changed: u64,
}

impl Network {
    /// When the next packet arrives.
    pub(crate) fn next(&self) -> Option<u64> {
        self.packets.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn arrive(&mut self) -> Option<(usize, Packet)> {
        self.packets.pop_first().map(|(_, packet)| packet)
    }

    pub(crate) fn ask(
        &mut self,
        now: u64,
        client: usize,
        question: &Question,
        chance: &mut Chance,
    ) {
        for at in self.arrivals(now, chance) {
            self.put(at, client, Packet::Question(question.clone()));
        }
    }

    pub(crate) fn answer(&mut self, now: u64, client: usize, answer: Answer, chance: &mut Chance) {
        let answer = if self.is_calm {
            answer
        } else {
            self.change(answer, chance)
        };
        // The second copy of a doubled question brings the second answer.
        if let Some(at) = self.arrivals(now, chance).first() {
            self.put(*at, client, Packet::Answer(answer));
        }
    }

    fn put(&mut self, at: u64, client: usize, packet: Packet) {
        self.sent += 1;
        self.packets.insert((at, self.sent), (client, packet));
    }

    fn arrivals(&mut self, now: u64, chance: &mut Chance) -> Vec<u64> {
        if self.is_calm {
            return vec![now + 20];
        }
        if chance.percent(12) {
            self.lost += 1;
            return Vec::new();
        }
        let mut arrivals = vec![now + delay(chance)];
        if chance.percent(10) {
            self.doubled += 1;
            arrivals.push(now + delay(chance));
        }
        arrivals
    }

    fn change(&mut self, answer: Answer, chance: &mut Chance) -> Answer {
        let kind_of_change = chance.below(20);
        if kind_of_change < 4 {
            self.changed += 1;
        }
        match (kind_of_change, answer) {
            (0, Answer::Statement { id, kind, .. }) => Answer::Statement {
                id,
                kind,
                result: Err(nonsense(chance)),
            },
            (0, Answer::AuditEvents { ids, .. }) => Answer::AuditEvents {
                ids,
                result: Err(nonsense(chance)),
            },
            // A bit of the receipt, or another statement's.
            (
                1 | 2,
                Answer::Statement {
                    id,
                    kind,
                    result: Ok(mut receipt),
                },
            ) => {
                let bit = chance.below(receipt.len() as u64 * 8);
                receipt[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
                Answer::Statement {
                    id,
                    kind,
                    result: Ok(receipt),
                }
            }
            (
                3,
                Answer::Statement {
                    id,
                    kind,
                    result: Ok(receipt),
                },
            ) => {
                let other = self.seen.replace(receipt.clone()).unwrap_or(receipt);
                Answer::Statement {
                    id,
                    kind,
                    result: Ok(other),
                }
            }
            // Some statuses missing.
            (
                1..4,
                Answer::AuditEvents {
                    ids,
                    result: Ok(mut statuses),
                },
            ) => {
                statuses.retain(|_| chance.percent(50));
                Answer::AuditEvents {
                    ids,
                    result: Ok(statuses),
                }
            }
            (_, answer) => answer,
        }
    }
}

/// Mostly soon, sometimes after everybody gave up.
fn delay(chance: &mut Chance) -> u64 {
    if chance.percent(15) {
        chance.below(600_000)
    } else {
        5 + chance.below(2_000)
    }
}
