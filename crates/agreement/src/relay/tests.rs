use proptest::prelude::*;
use proptest::sample::subsequence;

use super::frames::{Collector, FRAME_SYMBOLS, FrameError, MAX_BYTES, frames};
use super::*;
use crate::fixtures::{assert_every_bit_counts, assert_vector};

const BASE: &str = "https://central.example";

fn question() -> Question {
    Question {
        enrolment: vec![0xe1; 700],
        acceptance: vec![0xac; 600],
    }
}

fn answer() -> Answer {
    Answer {
        person_id: "00112233445566778899aabbccddeeff".into(),
        enrolment_receipt: Some((0..=255).collect()),
        acceptance_receipt: Some((0..=255).rev().collect()),
        grant: Some(vec![0x67; 420]),
        refusal: None,
        key_set: None,
    }
}

fn refused() -> Answer {
    Answer {
        person_id: answer().person_id,
        refusal: Some("code-used".into()),
        ..Answer::default()
    }
}

fn collect(texts: &[String]) -> Result<Collector, FrameError> {
    let mut collector = Collector::default();
    for text in texts {
        collector.take(text)?;
    }
    Ok(collector)
}

#[test]
fn the_fixed_question_and_answer_have_these_bytes() {
    let short = Question {
        enrolment: b"enrolment".to_vec(),
        acceptance: b"acceptance".to_vec(),
    };
    let url = short.url("https://central.example/");
    let texts = frames(&answer()).unwrap();
    let one = frames(&refused()).unwrap();
    let note = "The address for the statements `enrolment` and `acceptance`, an answer, its frames joined, a refusal's frame: texts \
                as ASCII.";
    assert_vector(
        "relay",
        note,
        &[
            ("url", url.as_bytes()),
            ("answer", &answer().encode()),
            ("frames", texts.concat().as_bytes()),
            ("refusal", one.concat().as_bytes()),
        ],
    );
    assert_eq!(
        url,
        "https://central.example/relay#gkllbnJvbG1lbnRKYWNjZXB0YW5jZQ"
    );
    assert_eq!((texts.len(), one.len()), (6, 1));
    for text in texts.iter().chain(&one) {
        assert!(text.len() == FRAME_SYMBOLS && text.len() <= 300);
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        );
    }
}

#[test]
fn an_address_leads_back_to_its_question() {
    let url = question().url(BASE);
    assert_eq!(Question::parse_url(&url, BASE), Ok(question()));
    assert_eq!(
        Question::parse_url(&url, "https://central.example/"),
        Ok(question())
    );
    let elsewhere = Question::parse_url(&url, "https://elsewhere.example");
    assert_eq!(elsewhere, Err(RelayError::Address));
    for text in [
        "",
        "https://central.example/relay",
        "https://central.example/relay?x",
    ] {
        assert_eq!(Question::parse_url(text, BASE), Err(RelayError::Address));
    }
    let too_long = "A".repeat(MAX_TEXT + 1);
    assert_eq!(Question::decode_text(&too_long), Err(RelayError::TooLong));
    for text in ["=", "gk==", "g k", "gk\n", "é"] {
        assert_eq!(
            Question::decode_text(text),
            Err(RelayError::Base64),
            "{text}"
        );
    }
}

#[test]
fn a_question_is_two_statements_and_nothing_else() {
    let bytes = question().encode();
    for cut in 0..bytes.len() {
        assert!(Question::decode(&bytes[..cut]).is_err(), "cut after {cut}");
    }
    let statement = Value::bytes([1]);
    let wrong = [
        Value::Null,
        statement.clone(),
        Value::Array(vec![]),
        Value::Array(vec![statement.clone()]),
        Value::Array(vec![statement.clone(), Value::Null]),
        Value::Array(vec![statement.clone(), Value::bytes([])]),
        Value::Array(vec![statement.clone(), "text".into()]),
        Value::Array(vec![statement.clone(), statement.clone(), statement]),
    ];
    for value in wrong {
        assert!(
            Question::decode(&cbor::encode(&value)).is_err(),
            "{value:?}"
        );
    }
    let big = Question {
        enrolment: vec![0; MAX_QUESTION],
        ..question()
    };
    assert!(Question::decode(&big.encode()).is_err());
}

#[test]
fn an_answer_leads_back_to_itself() {
    for answer in [answer(), refused()] {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
    let strange = [
        Answer {
            person_id: "nobody".into(),
            ..answer()
        },
        Answer {
            refusal: Some(String::new()),
            ..answer()
        },
        Answer {
            refusal: Some("<b>".into()),
            ..answer()
        },
        Answer {
            refusal: Some("a".repeat(41)),
            ..answer()
        },
    ];
    for answer in strange {
        assert!(Answer::decode(&answer.encode()).is_err());
        assert_eq!(
            collect(&frames(&answer).unwrap()).unwrap_err().code(),
            "relay-malformed"
        );
    }
    let bytes = answer().encode();
    for cut in 0..bytes.len() {
        assert!(Answer::decode(&bytes[..cut]).is_err(), "cut after {cut}");
    }
    assert!(Answer::decode(&[bytes, vec![0]].concat()).is_err());
    let long = Answer {
        grant: Some(vec![0; MAX_BYTES]),
        ..answer()
    };
    assert_eq!(frames(&long), None);
}

#[test]
fn frames_come_in_any_case_with_any_space_and_many_at_once() {
    let texts = frames(&answer()).unwrap();
    let wanted = Some(answer().encode());
    let pasted = texts.join("\r\n").to_lowercase();
    assert_eq!(collect(&[pasted]).unwrap().answer(), wanted);
    let wrapped: Vec<String> = texts
        .concat()
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    assert_eq!(collect(&[wrapped.join("\n ")]).unwrap().answer(), wanted);

    let mut collector = Collector::default();
    assert_eq!(collector.progress(), Progress::default());
    assert_eq!(collector.answer(), None);
    let progress = collector.take(&texts[4]).unwrap();
    assert_eq!((progress.have, progress.total), (1, 6));
    assert_eq!(progress.missing, [1, 2, 3, 4, 6]);
    assert_eq!(
        collector.take(&texts[4]).unwrap(),
        progress,
        "the same once more"
    );
    assert_eq!(collector.answer(), None);
}

#[test]
fn every_changed_cut_or_doubled_character_is_refused() {
    for text in frames(&answer()).unwrap() {
        let bytes = text.as_bytes();
        let refused = |changed: Vec<u8>, codes: &[&str]| {
            let changed = String::from_utf8(changed).unwrap();
            let error = Collector::default().take(&changed).unwrap_err();
            assert!(codes.contains(&error.code()), "{error}: {changed}");
        };
        for at in 0..bytes.len() {
            for other in (b'0'..=b'9').chain(b'A'..=b'Z').filter(|b| *b != bytes[at]) {
                let mut changed = bytes.to_vec();
                changed[at] = other;
                refused(changed, &["relay-frame-damaged", "relay-not-a-frame"]);
            }
            let without = [&bytes[..at], &bytes[at + 1..]].concat();
            refused(without, &["relay-frame-cut", "relay-not-a-frame"]);
            let doubled = [&bytes[..=at], &bytes[at..]].concat();
            refused(doubled, &["relay-frame-cut", "relay-not-a-frame"]);
            if at + 1 < bytes.len() && bytes[at] != bytes[at + 1] {
                let mut swapped = bytes.to_vec();
                swapped.swap(at, at + 1);
                refused(swapped, &["relay-frame-damaged", "relay-not-a-frame"]);
            }
            refused(
                bytes[..at].to_vec(),
                &["relay-frame-cut", "relay-not-a-frame"],
            );
        }
        assert_every_bit_counts(bytes, |changed| {
            let lower = |b: &[u8]| b.to_ascii_lowercase();
            std::str::from_utf8(changed)
                .is_ok_and(|text| Collector::default().take(text).is_ok())
                // The case of a letter means nothing.
                && (changed == bytes || lower(changed) != lower(bytes))
        });
    }
}

#[test]
fn a_frame_of_another_answer_is_refused_and_what_is_there_stays() {
    let (ours, theirs) = (frames(&answer()).unwrap(), frames(&refused()).unwrap());
    let yesterday = Answer {
        grant: Some(vec![0x68; 420]),
        ..answer()
    };
    let yesterday = frames(&yesterday).unwrap();
    let mut collector = collect(&ours[..3]).unwrap();
    let before = collector.progress();
    for other in theirs.iter().chain(&yesterday) {
        assert_eq!(collector.take(other), Err(FrameError::OtherAnswer));
    }
    // All of a text or nothing of it.
    let mixed = format!("{}\n{}", ours[3], yesterday[4]);
    assert_eq!(collector.take(&mixed), Err(FrameError::OtherAnswer));
    assert_eq!(collector.progress(), before);
    collector.take(&ours[3..].concat()).unwrap();
    assert_eq!(collector.answer(), Some(answer().encode()));
    for text in [
        "",
        " \n",
        "KZ00126000001",
        "850715400129",
        "https://central.example",
    ] {
        assert_eq!(
            collector.take(text).unwrap_err().code(),
            "relay-not-a-frame"
        );
    }
    let flood = ours[0].repeat(129);
    assert_eq!(
        collector.take(&flood).unwrap_err().code(),
        "relay-frame-cut"
    );
}

proptest! {
    #[test]
    fn any_order_with_doubles_collects(
        lengths in (0..600_usize, 0..600_usize, 0..900_usize),
        seed in any::<[u8; 8]>(),
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
        doubles in subsequence((0..12_usize).collect::<Vec<_>>(), 0..12),
    ) {
        let bytes = |length: usize| seed.iter().copied().cycle().take(length).collect::<Vec<_>>();
        let answer = Answer {
            enrolment_receipt: Some(bytes(lengths.0)),
            acceptance_receipt: (lengths.1 > 99).then(|| bytes(lengths.1)),
            grant: (lengths.2 > 99).then(|| bytes(lengths.2)),
            ..refused()
        };
        let texts = frames(&answer).unwrap();
        let mut collector = Collector::default();
        for at in doubles.iter().chain(&order) {
            if let Some(text) = texts.get(*at) {
                collector.take(text).unwrap();
            }
        }
        for text in texts.iter().skip(12) {
            collector.take(text).unwrap();
        }
        prop_assert!(collector.progress().missing.is_empty());
        prop_assert_eq!(collector.answer(), Some(answer.encode()));
    }

    #[test]
    fn no_text_is_a_surprise(text in ".{0,400}", tail in "[0-9A-Z]{292}") {
        let _ = Collector::default().take(&text);
        let _ = Collector::default().take(&format!("IBR1{tail}"));
        let _ = Question::decode_text(&text);
        let _ = Question::parse_url(&text, BASE);
    }

    #[test]
    fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Answer::decode(&bytes);
        let _ = Question::decode(&bytes);
    }
}
