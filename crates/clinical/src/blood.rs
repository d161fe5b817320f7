//! Blood groups: ABO, RhD and, where it was done, Kell.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

/// ABO group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Abo {
    O,
    A,
    B,
    AB,
}

/// Presence of an antigen, written `+` or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Antigen {
    #[serde(rename = "-")]
    Negative,
    #[serde(rename = "+")]
    Positive,
}

/// A person's group; `kell` is `None` when it was not determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BloodGroup {
    pub abo: Abo,
    pub rh: Antigen,
    pub kell: Option<Antigen>,
}

impl BloodGroup {
    /// The code of ABO and RhD together: `O-` … `AB+`.
    pub fn code(&self) -> &'static str {
        match (self.abo, self.rh) {
            (Abo::O, Antigen::Negative) => "O-",
            (Abo::O, Antigen::Positive) => "O+",
            (Abo::A, Antigen::Negative) => "A-",
            (Abo::A, Antigen::Positive) => "A+",
            (Abo::B, Antigen::Negative) => "B-",
            (Abo::B, Antigen::Positive) => "B+",
            (Abo::AB, Antigen::Negative) => "AB-",
            (Abo::AB, Antigen::Positive) => "AB+",
        }
    }

    /// Reads [`BloodGroup::code`]; Kell stays unknown.
    pub fn from_code(code: &str) -> Option<Self> {
        let (abo, rh) = code.split_at_checked(code.len().checked_sub(1)?)?;
        let abo = match abo {
            "O" => Abo::O,
            "A" => Abo::A,
            "B" => Abo::B,
            "AB" => Abo::AB,
            _ => return None,
        };
        let rh = match rh {
            "+" => Antigen::Positive,
            "-" => Antigen::Negative,
            _ => return None,
        };
        Some(Self {
            abo,
            rh,
            kell: None,
        })
    }
}

/// What several determinations of one person say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Determined {
    /// The value that is safe to show, which depends on whose it is. A **donor**'s red cells go to others: RhD or Kell positive as soon as
    /// one determination says so, for cells that pass for negative and are not immunise who has none of that antigen. A **recipient**
    /// receives cells of others: RhD or Kell negative as soon as one says so, for negative cells harm nobody, and positive ones who is
    /// negative. Two different ABO groups leave it `None`, whoever it is: no ABO group is safe for both red cells and plasma, so the
    /// group counts as undetermined until a person resolves it.
    pub group: Option<BloodGroup>,
    /// Every distinct determination, if they disagree, the safer first by the same rule; empty otherwise.
    pub conflict: Vec<BloodGroup>,
}

impl Determined {
    /// Joins determinations of a donor. A missing Kell never disagrees with a present one.
    pub fn from_groups(groups: &[BloodGroup]) -> Self {
        let mut joined = Self::join(groups, |antigens| antigens.max());
        joined
            .conflict
            .sort_by_key(|g| (Reverse((g.rh, rank(g.kell))), g.abo));
        joined
    }

    /// Joins determinations of a **recipient**, who receives red cells of others: RhD or Kell negative as soon as one says so.
    pub fn of_recipient(groups: &[BloodGroup]) -> Self {
        let mut joined = Self::join(groups, |antigens| antigens.min());
        joined.conflict.sort_by_key(|g| (g.rh, rank(g.kell), g.abo));
        joined
    }

    fn join(
        groups: &[BloodGroup],
        safer: impl Fn(&mut dyn Iterator<Item = Antigen>) -> Option<Antigen>,
    ) -> Self {
        let Some(first) = groups.first() else {
            return Self::default();
        };
        let rh = safer(&mut groups.iter().map(|g| g.rh));
        let kell = safer(&mut groups.iter().filter_map(|g| g.kell));
        let same_abo = groups.iter().all(|g| g.abo == first.abo);
        let same_rh = groups.iter().all(|g| g.rh == first.rh);
        let same_kell = groups
            .iter()
            .filter_map(|g| g.kell)
            .all(|k| Some(k) == kell);
        let conflict = if same_abo && same_rh && same_kell {
            Vec::new()
        } else {
            let mut distinct = groups.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            distinct
        };
        let group = rh.filter(|_| same_abo).map(|rh| BloodGroup {
            abo: first.abo,
            rh,
            kell,
        });
        Self { group, conflict }
    }
}

/// What is not known may be either, so it stands between them.
fn rank(antigen: Option<Antigen>) -> u8 {
    match antigen {
        Some(Antigen::Negative) => 0,
        None => 1,
        Some(Antigen::Positive) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(code: &str, kell: Option<Antigen>) -> BloodGroup {
        BloodGroup {
            kell,
            ..BloodGroup::from_code(code).unwrap()
        }
    }

    #[test]
    fn codes_read_back() {
        for code in ["O-", "O+", "A-", "A+", "B-", "B+", "AB-", "AB+"] {
            assert_eq!(group(code, None).code(), code);
        }
        for bad in ["", "+", "A", "AB", "C+", "A±", "О+"] {
            assert_eq!(BloodGroup::from_code(bad), None, "{bad}");
        }
    }

    #[test]
    fn agreement_keeps_the_known_kell() {
        let known = group("A-", Some(Antigen::Negative));
        let joined = Determined::from_groups(&[group("A-", None), known]);
        assert_eq!(
            joined,
            Determined {
                group: Some(known),
                conflict: vec![]
            }
        );
    }

    #[test]
    fn disagreement_shows_the_safer_value_and_all_of_them() {
        let joined =
            Determined::from_groups(&[group("A-", None), group("A+", None), group("A-", None)]);
        assert_eq!(joined.group, Some(group("A+", None)));
        assert_eq!(joined.conflict, [group("A+", None), group("A-", None)]);
        let joined = Determined::from_groups(&[group("A+", None), group("O+", None)]);
        assert_eq!(joined.group, None);
        assert_eq!(joined.conflict, [group("O+", None), group("A+", None)]);
        let kell = Determined::from_groups(&[
            group("B+", Some(Antigen::Negative)),
            group("B+", Some(Antigen::Positive)),
        ]);
        assert_eq!(kell.group, Some(group("B+", Some(Antigen::Positive))));
        assert_eq!(
            kell.conflict,
            [
                group("B+", Some(Antigen::Positive)),
                group("B+", Some(Antigen::Negative))
            ]
        );
    }

    #[test]
    fn what_is_safer_depends_on_who_it_is() {
        let groups = [
            group("A+", Some(Antigen::Positive)),
            group("A-", Some(Antigen::Negative)),
            group("A+", None),
        ];
        let recipient = Determined::of_recipient(&groups);
        assert_eq!(recipient.group, Some(group("A-", Some(Antigen::Negative))));
        let donor = Determined::from_groups(&groups);
        assert_eq!(donor.group, Some(group("A+", Some(Antigen::Positive))));
        // For who gives blood positive comes first, for who receives it negative; unknown stands between.
        let safer_first = [
            group("A-", Some(Antigen::Negative)),
            group("A+", None),
            group("A+", Some(Antigen::Positive)),
        ];
        assert_eq!(recipient.conflict, safer_first);
        assert!(donor.conflict.iter().eq(safer_first.iter().rev()));
        let abo = Determined::of_recipient(&[group("A+", None), group("O+", None)]);
        assert_eq!((abo.group, abo.conflict.len()), (None, 2));
        assert_eq!(Determined::of_recipient(&[]), Determined::default());
    }
}
