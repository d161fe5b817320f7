//! Invented people: Kazakh names (with -ұлы/-қызы or with Russian endings), Russian names, Kazakh names spelled the Russian way.

use crate::iin::Sex;

pub(super) struct Name {
    pub(super) family: String,
    /// Given name, then the patronymic if there is one.
    pub(super) given: Vec<String>,
}

/// Male family names; a woman's ends in «а» where the man's ends in «в» or «н».
const KAZAKH_FAMILY: [&str; 40] = [
    "Қасымов",
    "Әбдірахманов",
    "Нұрланов",
    "Өмірбаев",
    "Сейітқали",
    "Жүнісов",
    "Төлегенов",
    "Бекмұханбетов",
    "Ысқақов",
    "Оразбаев",
    "Ахметов",
    "Серіков",
    "Ғабитов",
    "Мұхаметжанов",
    "Байжанов",
    "Тұрсынов",
    "Қалиев",
    "Досжанов",
    "Есенғали",
    "Құнанбаев",
    "Сәрсенов",
    "Ибраев",
    "Жақсылықов",
    "Әлімжанов",
    "Искаков",
    "Күзенбаев",
    "Рахымжан",
    "Сұлтанов",
    "Шаймерден",
    "Қожахметов",
    "Мәмбетов",
    "Нысанбаев",
    "Темірханов",
    "Үсенов",
    "Хасенов",
    "Шоқан",
    "Айтбаев",
    "Бөлеков",
    "Ділдабек",
    "Һамидов",
];
/// Kazakh family names as Russian documents spell them.
const RUSSIAN_SPELLING: [&str; 12] = [
    "Касымов",
    "Касимов",
    "Нурланов",
    "Омирбаев",
    "Жунусов",
    "Тулегенов",
    "Сериков",
    "Калиев",
    "Досжанов",
    "Султанов",
    "Абдрахманов",
    "Темирханов",
];
const RUSSIAN_FAMILY: [&str; 24] = [
    "Иванов",
    "Петров",
    "Смирнов",
    "Кузнецов",
    "Попов",
    "Соколов",
    "Лебедев",
    "Козлов",
    "Новиков",
    "Морозов",
    "Волков",
    "Соловьёв",
    "Васильев",
    "Зайцев",
    "Павлов",
    "Семёнов",
    "Голубев",
    "Виноградов",
    "Богданов",
    "Воробьёв",
    "Фёдоров",
    "Ким",
    "Цой",
    "Шевченко",
];
const KAZAKH_MALE: [&str; 28] = [
    "Ерлан",
    "Нұрлан",
    "Асқар",
    "Бауыржан",
    "Дәулет",
    "Ержан",
    "Жандос",
    "Қайрат",
    "Мақсат",
    "Олжас",
    "Рүстем",
    "Сәкен",
    "Тимур",
    "Ұлан",
    "Шыңғыс",
    "Әділет",
    "Айдос",
    "Берік",
    "Ғалым",
    "Дархан",
    "Еркебұлан",
    "Қуаныш",
    "Медет",
    "Нұржан",
    "Сапар",
    "Санжар",
    "Темірлан",
    "Һамид",
];
const KAZAKH_FEMALE: [&str; 28] = [
    "Әсел",
    "Айгүл",
    "Балжан",
    "Гүлмира",
    "Дана",
    "Жанар",
    "Өрзия",
    "Ұлту",
    "Қарлығаш",
    "Мөлдір",
    "Назерке",
    "Сәуле",
    "Толғанай",
    "Әлия",
    "Айжан",
    "Ботагөз",
    "Гүлнар",
    "Динара",
    "Еңлік",
    "Зарина",
    "Камила",
    "Ләззат",
    "Меруерт",
    "Перизат",
    "Салтанат",
    "Үміт",
    "Шолпан",
    "Іңкәр",
];
const RUSSIAN_MALE: [&str; 14] = [
    "Александр",
    "Алексей",
    "Андрей",
    "Виктор",
    "Дмитрий",
    "Евгений",
    "Иван",
    "Максим",
    "Николай",
    "Олег",
    "Павел",
    "Сергей",
    "Юрий",
    "Артём",
];
const RUSSIAN_FEMALE: [&str; 14] = [
    "Анна",
    "Валентина",
    "Екатерина",
    "Елена",
    "Ирина",
    "Ксения",
    "Людмила",
    "Марина",
    "Наталья",
    "Ольга",
    "Светлана",
    "Татьяна",
    "Юлия",
    "Алёна",
];
/// Stems of Russian patronymics: -ич and -на follow.
const PATRONYMIC: [&str; 14] = [
    "Александров",
    "Алексеев",
    "Андреев",
    "Викторов",
    "Дмитриев",
    "Евгеньев",
    "Иванов",
    "Максимов",
    "Николаев",
    "Олегов",
    "Павлов",
    "Сергеев",
    "Юрьев",
    "Петров",
];
const PHYSICIANS: [&str; 8] = [
    "Ким Е. В.",
    "Сейітқали А. М.",
    "Орлова Н. П.",
    "Жүнісова Г. Т.",
    "Әбенов Қ. С.",
    "Литвин О. А.",
    "Тұрсын Ә. Н.",
    "Павлова И. Ю.",
];

/// A name; `below(n)` gives numbers below n.
pub(super) fn name(sex: Sex, below: &mut impl FnMut(u64) -> u64) -> Name {
    let male = sex == Sex::Male;
    let kind = below(100);
    let (families, given, fathers): (&[&str], &[&str], &[&str]) = if kind < 72 {
        let families: &[&str] = if kind < 60 {
            &KAZAKH_FAMILY
        } else {
            &RUSSIAN_SPELLING
        };
        (
            families,
            if male { &KAZAKH_MALE } else { &KAZAKH_FEMALE },
            &KAZAKH_MALE,
        )
    } else {
        (
            &RUSSIAN_FAMILY,
            if male { &RUSSIAN_MALE } else { &RUSSIAN_FEMALE },
            &PATRONYMIC,
        )
    };
    let mut family = pick(families, below).to_owned();
    if !male && (family.ends_with('в') || family.ends_with("ин")) {
        family.push('а');
    }
    let mut names = vec![pick(given, below).to_owned()];
    let father = pick(fathers, below);
    let style = below(100);
    if kind >= 72 {
        if style < 97 {
            names.push(format!("{father}{}", if male { "ич" } else { "на" }));
        }
    } else if style < 62 {
        names.push(format!("{father}{}", if male { "ұлы" } else { "қызы" }));
    } else if style < 90 {
        names.push(format!("{father}{}", if male { "ович" } else { "овна" }));
    }
    Name {
        family,
        given: names,
    }
}

/// Who signs a deferral.
pub(super) fn physician(below: &mut impl FnMut(u64) -> u64) -> String {
    pick(&PHYSICIANS, below).to_owned()
}

fn pick<'a>(list: &[&'a str], below: &mut impl FnMut(u64) -> u64) -> &'a str {
    list.get(below(list.len() as u64) as usize)
        .copied()
        .unwrap_or_default()
}
