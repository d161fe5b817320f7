use super::*;
use crate::fhir::Record;

const TODAY: Date = Date::constant(2026, 11, 22);

fn records(lines: &[&str]) -> Vec<Resource> {
    lines
        .iter()
        .map(|l| Record::parse_line(l.as_bytes()).unwrap().resource)
        .collect()
}

fn patient() -> &'static str {
    r#"{"resourceType":"Patient","id":"d-1","identifier":[{"system":"urn:infoblood:id:iin","value":"850715400129"},{"system":"urn:infoblood:id:donor-number","value":"D-0041207"}],"name":[{"use":"official","family":"Қасымова","given":["Әсел","Ерланқызы"]}],"gender":"female","birthDate":"1985-07-15"}"#
}

fn flag(id: &str, status: &str, period: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Flag","id":"{id}","status":"{status}","code":{{"coding":[{{"system":"urn:infoblood:deferral-reason","code":"{code}"}}]}},"subject":{{"reference":"Patient/d-1"}},"period":{period},"author":{{"display":"Ким Е. В."}}}}"#
    )
}

fn group(id: &str, status: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"{status}","code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},"subject":{{"reference":"Patient/d-1"}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}}}"#
    )
}

fn facts(lines: &[&str]) -> Facts {
    Facts::assemble("d-1", &records(lines), TODAY, Rules::builtin()).unwrap()
}

#[test]
fn the_person() {
    let facts = facts(&[patient()]);
    assert!(!facts.training);
    assert_eq!(
        (facts.family.as_str(), facts.given.as_str()),
        ("Қасымова", "Әсел")
    );
    assert_eq!(facts.patronymic.as_deref(), Some("Ерланқызы"));
    assert_eq!(
        (facts.age, facts.sex, facts.iin_valid),
        (41, Sex::Female, true)
    );
    assert_eq!(facts.donor_number.as_deref(), Some("D-0041207"));
    assert_eq!(facts.blood, None);
    let summary = Summary::assemble("d-1", &records(&[patient()])).unwrap();
    assert_eq!(summary.iin_last4(), "0129");
    assert_eq!(summary.full_name(), "Қасымова Әсел Ерланқызы");
    assert_eq!(summary.deferral(TODAY), DeferralState::None);
}

#[test]
fn a_wrong_or_missing_iin_is_shown_as_such() {
    let wrong = patient().replace("850715400129", "850715400128");
    assert!(!facts(&[&wrong]).iin_valid);
    let none = patient().replace("urn:infoblood:id:iin", "urn:other");
    assert_eq!(
        (facts(&[&none]).iin.as_str(), facts(&[&none]).iin_valid),
        ("", false)
    );
    assert_eq!(
        Summary::assemble("d-1", &records(&[&none]))
            .unwrap()
            .iin_last4(),
        ""
    );
}

#[test]
fn ages() {
    let born = Date::constant(2000, 2, 29);
    assert_eq!(age(born, Date::constant(2026, 2, 28)), 25);
    assert_eq!(age(born, Date::constant(2026, 3, 1)), 26);
    assert_eq!(age(born, Date::constant(1999, 1, 1)), 0);
}

#[test]
fn deferrals_permanent_first_and_only_those_that_last() {
    let lines = [
        flag(
            "f-1",
            "active",
            r#"{"start":"2026-11-20","end":"2026-12-20"}"#,
            "low-haemoglobin",
        ),
        flag(
            "f-2",
            "active",
            r#"{"start":"2026-01-01","end":"2026-11-21"}"#,
            "vaccination",
        ),
        flag("f-3", "active", r#"{"start":"2020-01-01"}"#, "hepatitis-b"),
        flag(
            "f-4",
            "entered-in-error",
            r#"{"start":"2020-01-01"}"#,
            "hiv",
        ),
        flag("f-5", "inactive", r#"{"start":"2020-01-01"}"#, "hiv"),
        flag(
            "f-6",
            "active",
            r#"{"start":"2026-11-01","end":"2026-11"}"#,
            "unheard-of",
        ),
    ];
    let mut all = vec![patient()];
    all.extend(lines.iter().map(String::as_str));
    let facts = facts(&all);
    let shown: Vec<_> = facts
        .deferrals
        .iter()
        .map(|d| (d.reason_kk.as_str(), d.until.as_deref(), d.days_left))
        .collect();
    assert_eq!(
        shown,
        [
            ("В вирустық гепатиті", None, None),
            ("Гемоглобин деңгейі төмен", Some("2026-12-20"), Some(28)),
            ("unheard-of", Some("2026-11-30"), Some(8)),
        ]
    );
    let first = &facts.deferrals[0];
    assert_eq!(
        (first.kind, first.reason_ru.as_str(), first.from.as_str()),
        (DeferralKind::Permanent, "Вирусный гепатит B", "2020-01-01")
    );
    assert_eq!(
        (first.rule.as_deref(), first.verified, first.by.as_deref()),
        (Some("ҚР ДСМ-102/2020"), false, Some("Ким Е. В."))
    );
    assert_eq!(facts.deferrals[2].rule, None);

    let summary = |lines: &[&str]| Summary::assemble("d-1", &records(lines)).unwrap();
    assert_eq!(summary(&all).deferral(TODAY), DeferralState::Permanent);
    let temporary = summary(&[patient(), &lines[0]]);
    assert_eq!(
        temporary.deferral(Date::constant(2026, 12, 20)),
        DeferralState::Temporary
    );
    assert_eq!(
        temporary.deferral(Date::constant(2026, 12, 21)),
        DeferralState::None
    );
}

#[test]
fn the_words_of_a_flag_come_before_those_of_the_rule() {
    let line = flag("f-1", "active", r#"{"start":"2026-11-20"}"#, "hiv").replace(
        r#"}]},"subject""#,
        r#"}],"text":"Басқа себеп","_text":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/translation","extension":[{"url":"lang","valueCode":"ru"},{"url":"content","valueString":"Другая причина"}]}]}},"subject""#,
    );
    let deferral = facts(&[patient(), &line]).deferrals.remove(0);
    assert_eq!(
        (deferral.reason_kk.as_str(), deferral.reason_ru.as_str()),
        ("Басқа себеп", "Другая причина")
    );
}

#[test]
fn blood_groups_that_disagree_are_all_shown() {
    let one = facts(&[patient(), &group("o-1", "final", "A-")]);
    assert_eq!(one.blood, BloodGroup::from_code("A-"));
    assert_eq!(one.blood_conflict, []);
    let two = facts(&[
        patient(),
        &group("o-1", "final", "A-"),
        &group("o-2", "corrected", "A+"),
    ]);
    assert_eq!(two.blood, BloodGroup::from_code("A+"));
    let told: Vec<_> = two
        .blood_conflict
        .iter()
        .map(|stated| (stated.value.code(), stated.sources[0].record.as_str()))
        .collect();
    assert_eq!(told, [("A+", "o-2"), ("A-", "o-1")], "the safer one first");
    let cancelled = facts(&[
        patient(),
        &group("o-1", "final", "A-"),
        &group("o-2", "entered-in-error", "B+"),
    ]);
    assert_eq!(
        (cancelled.blood, cancelled.blood_conflict.len()),
        (BloodGroup::from_code("A-"), 0)
    );
}

#[test]
fn donations_latest_first_with_their_volume() {
    let donation = |id: &str, status: &str, when: &str, din: &str| {
        format!(
            r#"{{"resourceType":"Procedure","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"{din}"}}],"status":"{status}","code":{{"coding":[{{"system":"urn:infoblood:donation-kind","code":"whole-blood"}}]}},"subject":{{"reference":"Patient/d-1"}},"occurrenceDateTime":"{when}"}}"#
        )
    };
    let mistaken = r#"{"resourceType":"Specimen","id":"s-0","status":"entered-in-error","subject":{"reference":"Patient/d-1"},"collection":{"quantity":{"value":600.0,"code":"mL"},"procedure":{"reference":"Procedure/p-1"}}}"#;
    let volume = r#"{"resourceType":"Specimen","id":"s-1","subject":{"reference":"Patient/d-1"},"collection":{"quantity":{"value":450.0,"code":"mL"},"procedure":{"reference":"Procedure/p-1"}}}"#;
    let lines = [
        donation(
            "p-1",
            "completed",
            "2026-06-18T09:00:00+05:00",
            "KZ00126000001",
        ),
        donation("p-2", "not-done", "2026-11-20", "x"),
        donation("p-3", "entered-in-error", "2026-11-21", "x"),
        donation("p-4", "completed", "2025-12", "KZ0012600000"),
    ];
    let mut all = vec![volume, mistaken, patient()];
    all.extend(lines.iter().map(String::as_str));
    let found = facts(&all).donations;
    let dates: Vec<_> = found
        .iter()
        .map(|d| (d.date.as_str(), d.status, d.volume_ml))
        .collect();
    assert_eq!(
        dates,
        [
            ("2026-11-20", DonationStatus::NotDone, None),
            ("2026-06-18", DonationStatus::Completed, Some(450)),
            ("2025-12", DonationStatus::Completed, None),
        ]
    );
    assert_eq!(
        (found[1].din.as_deref(), found[1].din_check.as_deref()),
        (Some("KZ00126000001"), Some("V"))
    );
    assert_eq!(found[2].din, None);
}

#[test]
fn a_timeline_has_everything_at_which_blood_may_have_been_taken() {
    let procedure = |id: &str, kind: &str, status: &str, when: &str| {
        format!(
            r#"{{"resourceType":"Procedure","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"KZ00126000001"}}],"status":"{status}","code":{{"coding":[{{"system":"urn:infoblood:donation-kind","code":"{kind}"}}]}},"subject":{{"reference":"Patient/d-1"}},"occurrenceDateTime":"{when}"}}"#
        )
    };
    let lines = [
        procedure("p-1", "plasma", "stopped", "2026-11-09"),
        procedure("p-2", "plasma", "in-progress", "2026-11-10"),
        procedure("p-3", "plasma", "unknown", "2026-11-11"),
        procedure("p-4", "plasma", "on-hold", "2026-11-12"),
        procedure("p-5", "granulocytes", "completed", "2026-11-13T22:00:00Z"),
        // Nothing was taken, and nothing was to be.
        procedure("p-6", "granulocytes", "not-done", "2026-11-15"),
        procedure("p-7", "plasma", "preparation", "2026-11-16"),
    ];
    let mut all = vec![patient()];
    all.extend(lines.iter().map(String::as_str));
    let facts = facts(&all);
    let told: Vec<_> = facts
        .donations
        .iter()
        .map(|d| (d.date.as_str(), d.kind, d.status))
        .collect();
    let plasma = Some(DonationKind::Plasma);
    assert_eq!(
        told,
        [
            ("2026-11-14", None, DonationStatus::Completed),
            ("2026-11-12", plasma, DonationStatus::OnHold),
            ("2026-11-11", plasma, DonationStatus::Unknown),
            ("2026-11-10", plasma, DonationStatus::InProgress),
            ("2026-11-09", plasma, DonationStatus::Stopped),
        ]
    );
    assert!(facts.donations[0].din.is_some(), "it can be traced");
    assert_eq!(facts.not_understood, 1);
    assert!(facts.next_dates.iter().all(|next| next.date.is_none()));
}

#[test]
fn a_list_never_says_that_nothing_forbids_what_is_not_understood() {
    let state = |lines: &[&str]| {
        let summary = Summary::assemble("d-1", &records(lines)).unwrap();
        summary.deferral(TODAY)
    };
    let until = |end: &str| {
        let period = format!(r#"{{"start":"2026-11-01","end":"{end}"}}"#);
        flag("f-1", "active", &period, "tattoo")
    };
    for unclear in [
        r#""active":false"#,
        r#""deceasedBoolean":true"#,
        r#""deceasedDateTime":"2026""#,
        r#""modifierExtension":[{"url":"urn:x"}]"#,
        r#""link":[{"other":{"reference":"Patient/d-2"},"type":"replaced-by"}]"#,
    ] {
        let person = patient().replacen("\"id\"", &format!("{unclear},\"id\""), 1);
        assert_eq!(state(&[&person]), DeferralState::Unclear, "{unclear}");
        assert_eq!(
            state(&[&person, &until("2026-12-01")]),
            DeferralState::Unclear,
            "an end says nothing of what comes after it"
        );
        let forever = flag("f-1", "active", r#"{"start":"2026-11-01"}"#, "hiv");
        assert_eq!(state(&[&person, &forever]), DeferralState::Permanent);
    }
    let unknown = r#"{"resourceType":"Procedure","id":"p","status":"completed","subject":{"reference":"Patient/d-1"},"occurrenceDateTime":"2026-11-21"}"#;
    assert_eq!(state(&[patient(), unknown]), DeferralState::Unclear);
    let two = [
        patient(),
        &group("o-1", "final", "A-"),
        &group("o-2", "final", "A+"),
    ];
    let summary = Summary::assemble("d-1", &records(&two)).unwrap();
    assert!(summary.blood_conflict && !summary.not_understood);
}

#[test]
fn deferrals_whose_end_is_none_or_nonsense_bar() {
    let only = |period: &str| facts(&[patient(), &flag("f-1", "active", period, "tattoo")]);
    for end in [
        "9999-12-31T23:59:59+05:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31",
        "9999",
    ] {
        let facts = only(&format!(r#"{{"start":"2026-11-01","end":"{end}"}}"#));
        let deferral = &facts.deferrals[0];
        assert_eq!(deferral.kind, DeferralKind::Permanent, "{end}");
        assert_eq!((&deferral.until, deferral.days_left), (&None, None));
        assert_eq!(deferral.reason_ru, "Татуировка или пирсинг");
        assert_eq!(facts.not_understood, 0);
    }
    // It ends before it begins: which of the two is wrong nobody knows.
    let facts = only(r#"{"start":"2026-11-20","end":"2026-11-10"}"#);
    assert_eq!(facts.deferrals[0].kind, DeferralKind::Permanent);
    assert_eq!(
        facts.deferrals[0].reason_ru,
        Rules::builtin().not_understood.ru
    );
    assert_eq!(facts.not_understood, 1);
    let facts = only(r#"{"start":"2026-11-01","end":"2026-11-21T20:00:00Z"}"#);
    assert_eq!(facts.deferrals[0].until.as_deref(), Some("2026-11-22"));
    assert_eq!(facts.deferrals[0].days_left, Some(0));
}

#[test]
fn a_deferral_that_cannot_be_read_bars() {
    let good = flag("f-1", "active", r#"{"start":"2026-11-01"}"#, "tattoo");
    for broken in [
        good.replace("2026-11-01", "2026-02-30"),
        good.replace("\"active\"", "\"perhaps\""),
        good.replace("\"active\"", "7"),
        good.replace("\"period\":{", "\"period\":[{")
            .replace("},\"author", "}],\"author"),
        good.replacen("\"id\"", "\"id\":\"f-0\",\"id\"", 1),
        good.replace(
            "{\"start\"",
            &format!(
                "{{\"text\":\"{}\",\"start\"",
                "x".repeat(crate::fhir::MAX_LINE)
            ),
        ),
    ] {
        assert!(Record::parse_line(broken.as_bytes()).is_err(), "{broken}");
        let flag = Record::received(broken.as_bytes()).unwrap();
        if broken.len() <= crate::fhir::MAX_LINE {
            assert_eq!(flag.raw, broken);
        } else {
            // What is kept of it reads as the same.
            assert!(flag.raw.len() < 1_000, "{}", flag.raw);
            let again = Record::received(flag.raw.as_bytes()).unwrap();
            assert_eq!(again, flag);
        }
        assert!(flag.resource.is_safety());
        let mut resources = records(&[patient()]);
        resources.push(flag.resource);
        let facts = Facts::assemble("d-1", &resources, TODAY, Rules::builtin()).unwrap();
        let [deferral] = &facts.deferrals[..] else {
            panic!("{broken}: {facts:?}");
        };
        assert_eq!(deferral.kind, DeferralKind::Permanent);
        assert_eq!(deferral.reason_ru, Rules::builtin().not_understood.ru);
        assert_eq!((deferral.from.as_str(), facts.not_understood), ("", 1));
    }
    // Nobody is barred by what names nobody, was written by mistake or is no deferral.
    for nobody in [
        good.replace("Patient/", "Group/"),
        good.replace("f-1", "f/1"),
        good.replace("\"Flag\"", "\"Spaceship\""),
        good[..good.len() - 2].to_owned(),
    ] {
        assert!(Record::received(nobody.as_bytes()).is_err(), "{nobody:.60}");
    }
    let mistaken = good
        .replace("active", "entered-in-error")
        .replace("2026-11-01", "2026-02-30");
    let mut resources = records(&[patient()]);
    resources.push(Record::received(mistaken.as_bytes()).unwrap().resource);
    let summary = Summary::assemble("d-1", &resources).unwrap();
    assert_eq!(summary.deferral(TODAY), DeferralState::None);
}

#[test]
fn what_the_iin_says_otherwise_is_a_warning() {
    assert_eq!(facts(&[patient()]).iin_warnings, []);
    let other = patient().replace("1985-07-15", "1985-07-16");
    assert_eq!(facts(&[&other]).iin_warnings, [Warning::BirthDate]);
    let other = patient().replace("female", "male");
    assert_eq!(facts(&[&other]).iin_warnings, [Warning::Sex]);
    // A number that is none says nothing.
    let none = other.replace("850715400129", "850715400128");
    assert_eq!(facts(&[&none]).iin_warnings, []);
}

#[test]
fn other_people_are_left_out() {
    let other = patient().replace("d-1", "d-2");
    let found = Facts::assemble(
        "d-2",
        &records(&[patient(), &other, &group("o-1", "final", "A-")]),
        TODAY,
        Rules::builtin(),
    );
    assert_eq!(found.unwrap().blood, None);
    let missing =
        Facts::assemble("d-9", &records(&[patient()]), TODAY, Rules::builtin()).unwrap_err();
    assert_eq!(missing.code(), "donor-missing");
}

#[test]
fn the_form_that_is_stored() {
    let resources = records(&[patient(), &group("o-1", "final", "AB-")]);
    let json = serde_json::to_value(Summary::assemble("d-1", &resources).unwrap()).unwrap();
    assert_eq!(
        json["blood"],
        serde_json::json!({"abo": "AB", "rh": "-", "kell": null})
    );
    assert_eq!(json["patronymic"], "Ерланқызы");
    assert_eq!(
        serde_json::to_value(DonationKind::WholeBlood).unwrap(),
        "whole-blood"
    );
    assert_eq!(
        serde_json::to_value(DonationStatus::NotDone).unwrap(),
        "not-done"
    );
    assert_eq!(
        serde_json::to_value(DeferralState::Permanent).unwrap(),
        "permanent"
    );
}

#[test]
fn what_is_not_understood_blocks_and_is_not_shown() {
    let over = r#"{"start":"2020-01-01","end":"2020-02-01"}"#;
    let modified = |line: &str| {
        line.replacen(
            "\"id\"",
            "\"modifierExtension\":[{\"url\":\"urn:x\"}],\"id\"",
            1,
        )
    };
    let flag = modified(&flag("f-1", "inactive", over, "tattoo"));
    let facts = facts(&[patient(), &flag, &modified(&group("o-1", "final", "AB-"))]);
    let deferral = &facts.deferrals[0];
    assert_eq!(deferral.kind, DeferralKind::Permanent);
    assert_eq!(deferral.reason_ru, Rules::builtin().not_understood.ru);
    assert_eq!((deferral.from.as_str(), deferral.by.as_deref()), ("", None));
    assert_eq!((facts.blood, facts.not_understood), (None, 2));
    assert!(facts.next_dates.iter().all(|next| next.date.is_none()));
    let person = modified(patient());
    let unclear = self::facts(&[&person]);
    assert_eq!(unclear.not_understood, 1);
    assert!(unclear.next_dates.iter().all(|next| next.date.is_none()));
    let summary = Summary::assemble("d-1", &records(&[patient(), &flag])).unwrap();
    assert_eq!(summary.deferral(TODAY), DeferralState::Permanent);
    let mistaken = flag.replace("inactive", "entered-in-error");
    assert_eq!(self::facts(&[patient(), &mistaken]).deferrals, []);
}
