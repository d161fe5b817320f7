//! Spellings that are one, and those that are not.

use proptest::prelude::*;

use super::*;

fn compare(typed: &str, stored: &str) -> Option<(bool, Option<String>)> {
    Query::parse(typed)
        .compare(stored)
        .map(|m| (m.exact, m.difference))
}

#[test]
fn folding_table() {
    assert_eq!(fold("ӘҒҚҢӨҰҮҺІЫЁi"), "агкноуухииеи");
    assert_eq!(fold("Қасымова"), "касимова");
}

#[test]
fn one_key_for_all_spellings() {
    let key = search_key("Қасымова");
    for same in [
        "Касымова",
        "касимова",
        "kasymova",
        "Kasimova",
        "Qasymova",
        "Қасiмова",
        "Қасімова",
    ] {
        assert_eq!(search_key(same), key, "{same}");
    }
    assert_eq!(search_key("Һамид"), search_key("Хамид"));
    assert_eq!(search_key("Мария"), search_key("maria"));
    assert_eq!(search_key("Александр"), search_key("Alexandr"));
    assert_eq!(search_key("Әсел  Ерланқызы"), "asel erlankizi");
    assert_eq!(search_key("Khamid Zhanar"), "hamid khamid janar zhanar");
    assert_eq!(search_key("ъ ь ' -"), "");
}

#[test]
fn a_match_says_how_the_spelling_differed() {
    assert_eq!(
        compare("касымова", "Касымова Ирина Петровна"),
        Some((true, None))
    );
    assert_eq!(
        compare("касымова", "Қасымова Әсел Ерланқызы"),
        Some((false, Some("қ→к".into())))
    );
    assert_eq!(
        compare("Касымова", "Касимова Лейла Рустамовна"),
        Some((false, Some("и→ы".into())))
    );
    assert_eq!(
        compare("асел касым", "Қасымова Әсел"),
        Some((false, Some("ә→а, қ→к".into())))
    );
    assert_eq!(
        compare("kasymova", "Қасымова Әсел"),
        Some((false, Some("қасымова→kasymova".into())))
    );
    assert_eq!(
        compare("Сейiт", "Сейіт Ая"),
        Some((false, Some("і→i".into())))
    );
    assert_eq!(compare("касымова иван", "Қасымова Әсел"), None);
    assert_eq!(compare("", "Қасымова"), Some((true, None)));
}

#[test]
fn composed_and_decomposed_letters_are_one() {
    assert_eq!(compare("и\u{306}", "Йолдас"), Some((true, None)));
}

#[test]
fn numbers_are_recognised() {
    assert_eq!(Query::parse("850715"), Query::Digits("850715".into()));
    assert_eq!(
        Query::parse("үғқ.\"ғңққ\"әұ"),
        Query::Digits("850715400129".into())
    );
    assert_eq!(Query::parse("  "), Query::All);
    assert_eq!(Query::parse("'\"-*"), Query::All);
}

#[test]
fn of_many_words_a_few_count() {
    let Query::Words(words) = Query::parse(&"а ".repeat(5_000)) else {
        panic!();
    };
    assert_eq!(words.len(), MOST_WORDS);
    let name = format!("{}{}", "б ".repeat(5_000), "ә ".repeat(MOST_WORDS));
    assert_eq!(
        compare(&"а ".repeat(5_000), &name),
        Some((false, Some("ә→а".into())))
    );
    assert_eq!(compare(&"а ".repeat(5_000), "Әсел"), None);
}

#[test]
fn kazakh_alphabet_order() {
    let sorter = Sorter::new().unwrap();
    let alphabet = "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя";
    let mut letters: Vec<String> = alphabet.chars().rev().map(String::from).collect();
    letters.sort_by_key(|l| sorter.key(l, "", None));
    assert_eq!(letters.concat(), alphabet);
    assert!(sorter.key("Ким", "Яна", None) < sorter.key("Кимов", "Ада", None));
    assert!(sorter.key("Ким", "Ада", None) < sorter.key("Ким", "Әлия", None));
    assert!(sorter.key("Ким", "Ада", None) < sorter.key("Ким", "Ада", Some("Ан")));
}

/// Spellings of one name.
const ALIKE: [&[&str]; 24] = [
    &["Ерлан", "Yerlan", "Erlan"],
    &["Елена", "Yelena", "Elena"],
    &["Назарбаев", "Nazarbayev", "Nazarbaev"],
    &["Тоқаев", "Токаев", "Tokayev", "Tokaev", "Toqaev"],
    &["Шолпан", "Şolpan", "Sholpan"],
    &["Айша", "Aişa", "Aisha", "Aysha"],
    &["Шыңғыс", "Şyñğys", "Shyngys", "Shyngghys"],
    &["Щукин", "Schukin", "Shchukin", "Shukin"],
    &["Артём", "Артем", "Artyom", "Artem"],
    &[
        "Соловьёв",
        "Соловьев",
        "Solovyov",
        "Solovyev",
        "Solovev",
        "Solov'yov",
    ],
    &["Ғалым", "Галым", "Ghalym", "Galym"],
    &["Чингиз", "Çingiz", "Chingiz"],
    &["Оразхан", "Orazkhan", "Orazhan"],
    &[
        "Жұмабаев",
        "Жумабаев",
        "Zhumabaev",
        "Jumabaev",
        "Žumabaev",
        "Zhumabayev",
    ],
    &["Цой", "Tsoi", "Tsoy"],
    &["Юсупов", "Yusupov", "Iusupov"],
    &["Яковлев", "Yakovlev", "Iakovlev"],
    &["Хасен", "Khasen", "Hasen"],
    &["Ұлан", "Улан", "Ulan"],
    &["Үміт", "Умит", "Umit"],
    &["Әсел", "Асел", "Assel", "Asel"],
    &["Ольга", "Olga", "Ol'ga", "Ol’ga"],
    &["Ильяс", "Il'yas", "Ilyas", "Ilʼyas"],
    &[
        "Мельников",
        "Mel’nikov",
        "Melnikov",
        "Melʹnikov",
        "Mel`nikov",
    ],
];

#[test]
fn usual_spellings_find_each_other_and_so_do_their_beginnings() {
    for names in ALIKE {
        for typed in names {
            let ends = typed.char_indices().map(|(at, c)| at + c.len_utf8());
            for beginning in ends.map(|end| &typed[..end]) {
                for stored in names {
                    assert!(
                        compare(beginning, stored).is_some(),
                        "{beginning} for {stored}: {:?}, {:?}",
                        Query::parse(beginning),
                        search_key(stored)
                    );
                }
            }
        }
    }
    for (typed, stored) in [("Oraz", "Оразхан"), ("Асхат", "Ashat"), ("Askhat", "Асхат")]
    {
        assert!(compare(typed, stored).is_some(), "{typed} for {stored}");
    }
}

#[test]
fn other_names_are_not_found() {
    for (typed, stored) in [
        ("Оразжан", "Оразхан"),
        ("Оражан", "Оразхан"),
        ("с", "Шолпан"),
        ("з", "Жанар"),
        ("к", "Хасен"),
        ("Алев", "Алиев"),
        ("Елена", "Иелена"),
        ("Bulat", "Полат"),
        ("o brien", "O'Brien"),
    ] {
        assert_eq!(compare(typed, stored), None, "{typed} for {stored}");
    }
}

#[test]
fn what_is_not_heard_inside_a_word_does_not_split_it() {
    for same in [
        "O'Brien",
        "O’Brien",
        "OʻBrien",
        "Oʼ`´Brien",
        "O\u{ad}Brien",
        "OBrien",
        "O\u{200b}Brien",
    ] {
        assert_eq!(plain(same), "obrien", "{same:?}");
        assert_eq!(compare("obrien", same), Some((true, None)));
        assert_eq!(compare(same, "OBrien"), Some((true, None)));
    }
    for (stored, typed) in [
        ("Ива\u{301}нов", "Иванов"),
        ("Иванов", "Ива\u{301}нов"),
        ("İsmail", "Ismail"),
        ("Исмаил", "İsmail"),
        ("Абд\u{ad}рахман", "абдрахман"),
        ("И\u{306}\u{301}олдас", "Йолдас"),
        ("कि", "कि"),
    ] {
        assert!(compare(typed, stored).is_some(), "{typed:?} for {stored:?}");
    }
    assert_eq!(plain("कि"), "कि", "vowels that are marks are heard");
    assert_eq!(plain("Касым-Әли 'Ким'"), "касым әли ким");
}

#[test]
fn typed_words_share_the_stored_ones_out() {
    for typed in ["k kasymova", "kasymova k"] {
        let (exact, difference) = compare(typed, "Қасымова Қарлығаш").unwrap();
        assert!(!exact);
        assert!(difference.unwrap().contains("қасымова→kasymova"), "{typed}");
    }
    assert_eq!(
        compare("қа қас", "Қасым Қанат"),
        Some((true, None)),
        "as it is spelled, though the first word answers both"
    );
    assert_eq!(compare("а ас аси", "Асия Асан Абай"), Some((true, None)));
    assert_eq!(
        compare("ка қас", "Қасымова Қарлығаш"),
        Some((false, Some("қ→к".into())))
    );
    assert_eq!(compare("ас ас", "Асан"), None, "one word is not two");
}

/// One way to write each letter in Latin, chosen by a number.
fn in_latin(name: &str, choice: usize) -> String {
    let letters = name.to_lowercase();
    let written = letters.chars().enumerate().map(|(at, letter)| {
        let ways: &[&str] = match letter {
            'а' | 'ә' => &["a", "ä"],
            'б' => &["b"],
            'в' => &["v", "w"],
            'г' => &["g"],
            'ғ' => &["g", "gh", "ğ"],
            'д' => &["d"],
            'е' => &["e", "ye"],
            'ё' => &["e", "yo", "ye"],
            'ж' => &["zh", "j", "ž"],
            'з' => &["z"],
            'и' => &["i"],
            'й' | 'ы' => &["y", "i"],
            'к' => &["k"],
            'қ' => &["k", "q"],
            'л' => &["l", "ll"],
            'м' => &["m"],
            'н' | 'ң' => &["n", "ñ"],
            'о' | 'ө' => &["o", "ö"],
            'п' => &["p"],
            'р' => &["r"],
            'с' => &["s", "ss"],
            'т' => &["t"],
            'у' | 'ұ' | 'ү' => &["u", "ü"],
            'ф' => &["f"],
            'х' | 'һ' => &["kh", "h"],
            'ц' => &["ts"],
            'ч' => &["ch", "ç"],
            'ш' => &["sh", "ş", "š"],
            'щ' => &["shch", "sch", "sh", "ş"],
            'ъ' | 'ь' => &["", "'", "’", "ʹ"],
            'і' => &["i", "ı"],
            'э' => &["e"],
            'ю' => &["yu", "iu"],
            'я' => &["ya", "ia"],
            _ => panic!("{letter}"),
        };
        ways[(choice >> (at % 16)) % ways.len()]
    });
    written.collect()
}

proptest! {
    #[test]
    fn nothing_panics_and_keys_are_plain(text in "\\PC{0,40}", name in "\\PC{0,40}") {
        let key = search_key(&text);
        prop_assert!(key.chars().all(|c| c == ' ' || c.is_ascii_lowercase() || c.is_ascii_digit()));
        let _ = Query::parse(&text).compare(&name);
        let _ = Sorter::new().unwrap().key(&text, &name, None);
    }

    #[test]
    fn every_beginning_in_latin_finds_the_name(
        name in "[аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщыіэюя][аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя]{1,6}",
        choice in any::<usize>(),
    ) {
        let latin = in_latin(&name, choice);
        let ends: Vec<usize> = latin.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
        for end in ends {
            let typed = &latin[..end];
            let is_found = Query::parse(typed).compare(&name).is_some();
            prop_assert!(is_found, "{} for {}: {:?}, {}", typed, name, Query::parse(typed), search_key(&name));
            let is_found = Query::parse(&name).compare(&latin).is_some();
            prop_assert!(is_found, "{} for {}", name, latin);
        }
    }

    #[test]
    fn the_key_of_a_beginning_begins_a_key(word in "[a-zа-яәғқңөұүһі']{1,12}", at in 0_usize..12) {
        let beginning: String = word.chars().take(at).collect();
        let stored = search_key(&word);
        if let Query::Words(words) = Query::parse(&beginning) {
            let answers = |key: &str| words.iter().all(|word| word.keys.iter().any(|typed| key.starts_with(typed.as_str())));
            prop_assert!(stored.split(' ').any(answers), "{} {}", beginning, stored);
            for word in &words {
                for (at, key) in word.keys.iter().enumerate() {
                    let others = word.keys.iter().enumerate().filter(|(other, _)| *other != at);
                    prop_assert!(others.into_iter().all(|(_, other)| !key.starts_with(other.as_str())));
                }
            }
        }
    }

    #[test]
    fn a_name_finds_itself(name in "[А-Яа-яӘәҒғҚқҢңӨөҰұҮүІі]{2,12}( [А-Яа-яӘәҒғҚқҢңӨөҰұҮүІі]{2,12}){0,2}") {
        if let query @ Query::Words(_) = Query::parse(&name) {
            prop_assert_eq!(query.compare(&name), Some(Match { exact: true, difference: None }));
        }
    }
}
