//! Stock, recipients and scans for the window.

use infoblood_client as client;
use infoblood_clinical::{
    component,
    iin::Iin,
    inventory::{self, StockRules},
    isbt128::Din,
    recipient,
    scan::{self, Expected},
};
use jiff::Zoned;

use super::{
    Controller,
    failure::told,
    patients::{PAGE, blood_group, iin_warning, number, sex, stated_group, stated_presence},
};
use crate::view::{
    Antibody, AppError, ComponentRow, ExpiryBucket, HospitalRequest, Inventory, InventoryCell,
    InventoryFilter, Product, ProductStatus, ProductStock, Reaction, RecipientCard, RecipientPage,
    RecipientRow, Scan, Soon, Source, StatedGroup, Transfusion,
};

/// The most of a scanned text that is told back.
const TOLD: usize = 64;

impl Controller {
    pub(super) async fn inventory(&self, filter: InventoryFilter) -> Result<Inventory, AppError> {
        let cache = &self.open_cache()?.cache;
        let filter = match filter {
            InventoryFilter::Available => inventory::Filter::Available,
            InventoryFilter::Quarantine => inventory::Filter::Quarantine,
            InventoryFilter::All => inventory::Filter::All,
        };
        let stock = cache
            .inventory(cache.gate(), filter)
            .await
            .map_err(|error| told("inventory", error.code(), &error))?;
        Ok(stock_view(stock))
    }

    pub(super) async fn search_recipients(
        &self,
        query: &str,
        after: Option<String>,
    ) -> Result<RecipientPage, AppError> {
        let cache = &self.open_cache()?.cache;
        let page = cache
            .recipients(cache.gate(), query, after.as_deref(), PAGE)
            .await
            .map_err(|error| told("recipients", error.code(), &error))?;
        Ok(RecipientPage {
            total: u32::try_from(page.total).unwrap_or(u32::MAX),
            rows: page.rows.into_iter().map(row).collect(),
            next: page.next,
        })
    }

    /// The look is recorded before the card is shown.
    pub(super) async fn open_recipient(&self, id: &str) -> Result<RecipientCard, AppError> {
        let cache = &self.open_cache()?.cache;
        let card = cache
            .recipient(cache.gate(), id)
            .await
            .map_err(|error| told("recipient", error.code(), &error))?;
        self.nudge();
        Ok(recipient_card(card))
    }

    /// Whose number an IIN is is asked, and recorded; the rest stands in the text itself.
    pub(super) async fn read_scan(&self, text: &str) -> Result<Scan, AppError> {
        let cache = &self.open_cache()?.cache;
        let told_back = || text.trim().chars().take(TOLD).collect::<String>();
        Ok(match scan::Scan::read(text) {
            scan::Scan::Donation(din) => Scan::Donation {
                din: din.to_string(),
            },
            scan::Scan::WrongCheck => Scan::WrongCheck { text: told_back() },
            scan::Scan::Unknown(expected) => Scan::Unknown {
                text: told_back(),
                expected: expected.code().to_owned(),
            },
            scan::Scan::Person(iin) => {
                let holders = cache
                    .holders(cache.gate(), &iin)
                    .await
                    .map_err(|error| told("scan", error.code(), &error))?;
                person(&iin, holders)
            }
        })
    }
}

/// Whose number it is.
fn person(iin: &Iin, holders: Vec<client::Holder>) -> Scan {
    let text = iin.to_string();
    let (mut donors, mut recipients) = (Vec::new(), Vec::new());
    for holder in holders {
        match holder {
            client::Holder::Donor(id) => donors.push(id),
            client::Holder::Recipient(id) => recipients.push(id),
        }
    }
    match (&donors[..], &recipients[..]) {
        ([], []) => Scan::Unknown {
            text,
            expected: Expected::KnownIin.code().to_owned(),
        },
        ([id], []) => Scan::Donor { id: id.clone() },
        ([], [id]) => Scan::Recipient { id: id.clone() },
        _ => Scan::Several {
            text,
            donors,
            recipients,
        },
    }
}

fn stock_view(stock: client::Stock) -> Inventory {
    let now = &stock.now;
    Inventory {
        products: stock
            .inventory
            .products
            .into_iter()
            .map(product_stock)
            .collect(),
        expiring: stock
            .expiring
            .into_iter()
            .map(|component| component_row(component, now))
            .collect(),
        expiring_total: number(stock.inventory.expiring),
        not_understood: number(stock.inventory.not_understood),
        as_of: stock.as_of.map(|time| time.to_string()),
    }
}

fn product_stock(stock: inventory::ProductStock) -> ProductStock {
    let cells = inventory::GROUPS.iter().zip(stock.cells);
    ProductStock {
        product: product(stock.product),
        shelf_days: stock.shelf_days.map(u32::from),
        rule: stock.source,
        verified: stock.verified,
        cells: cells
            .map(|(code, cell)| {
                let (abo, rh) = code.split_at(code.len() - 1);
                InventoryCell {
                    abo: abo.to_owned(),
                    rh: rh.to_owned(),
                    count: number(cell.count),
                    nearest_days: cell.nearest_days,
                    low: cell.low,
                    soon: pressing(cell.soon),
                }
            })
            .collect(),
        unknown_group: number(stock.unknown_group),
        total: number(stock.total),
        expired: number(stock.expired),
        unknown_expiry: number(stock.unknown_expiry),
        expiry_buckets: stock
            .buckets
            .into_iter()
            .map(|bucket| ExpiryBucket {
                from_days: bucket.from_days.into(),
                to_days: bucket.to_days.map(u32::from),
                count: number(bucket.count),
            })
            .collect(),
    }
}

/// A component outside its tree.
pub(super) fn component_row(component: component::Component, now: &Zoned) -> ComponentRow {
    let days_left = component.expires.as_ref().map(|e| e.days_left(now));
    let rule = StockRules::builtin().of(component.product, now.date());
    let soon = |days| rule.map_or(Soon::None, |rule| pressing(rule.soon(days)));
    let says = |group| StatedGroup {
        blood: blood_group(group),
        sources: vec![Source {
            date: None,
            din: None,
            laboratory: None,
            record: component.id.clone(),
        }],
    };
    ComponentRow {
        blood_conflict: component.blood_conflict.into_iter().map(says).collect(),
        id: component.id,
        component_id: component.number,
        din_check: component.din.map(|din| din.check_char().to_string()),
        din: component.din.map(|din| din.to_string()),
        product: product(component.product),
        division: component.division,
        blood: component.blood.map(blood_group),
        status: status(component.status),
        days_left,
        soon: days_left.map_or(Soon::None, soon),
        expires: component.expires.map(|expiry| expiry.text),
        place: component.place,
        parent: component.parents.into_iter().next(),
        depth: 0,
        gone_to: None,
        way_unclear: false,
        not_understood: component.not_understood,
    }
}

fn pressing(soon: inventory::Soon) -> Soon {
    match soon {
        inventory::Soon::None => Soon::None,
        inventory::Soon::Soon => Soon::Soon,
        inventory::Soon::Now => Soon::Now,
    }
}

pub(super) fn product(product: component::Product) -> Product {
    match product {
        component::Product::WholeBlood => Product::WholeBlood,
        component::Product::RedCellsSagm => Product::RedCellsSagm,
        component::Product::RedCellsCpda1 => Product::RedCellsCpda1,
        component::Product::Platelets => Product::Platelets,
        component::Product::Ffp => Product::Ffp,
        component::Product::Cryo => Product::Cryo,
        component::Product::Other => Product::Other,
    }
}

fn status(status: component::Status) -> ProductStatus {
    match status {
        component::Status::Quarantine => ProductStatus::Quarantine,
        component::Status::Available => ProductStatus::Available,
        component::Status::Reserved => ProductStatus::Reserved,
        component::Status::Issued => ProductStatus::Issued,
        component::Status::Transfused => ProductStatus::Transfused,
        component::Status::Processed => ProductStatus::Processed,
        component::Status::Discarded => ProductStatus::Discarded,
        component::Status::Expired => ProductStatus::Expired,
        component::Status::Recalled => ProductStatus::Recalled,
        component::Status::Unknown => ProductStatus::Unknown,
    }
}

fn row(row: client::RecipientRow) -> RecipientRow {
    let summary = row.summary;
    RecipientRow {
        iin_last4: summary.iin_last4().to_owned(),
        id: summary.id,
        family: summary.family,
        given: summary.given,
        patronymic: summary.patronymic,
        birth_date: summary.birth_date,
        blood: summary.blood.map(blood_group),
        blood_conflict: summary.blood_conflict,
        not_understood: summary.not_understood,
        training: summary.training,
        matched: row.matched,
    }
}

fn recipient_card(card: client::RecipientCard) -> RecipientCard {
    let facts = card.facts;
    RecipientCard {
        id: facts.id,
        family: facts.family,
        given: facts.given,
        patronymic: facts.patronymic,
        birth_date: facts.birth_date,
        sex: sex(facts.sex),
        age: u32::try_from(facts.age).unwrap_or(0),
        iin: facts.iin,
        iin_valid: facts.iin_valid,
        iin_warnings: facts.iin_warnings.into_iter().map(iin_warning).collect(),
        same_iin: card.same_iin,
        training: facts.training,
        blood: facts.blood.map(blood_group),
        blood_conflict: facts.blood_conflict.into_iter().map(stated_group).collect(),
        antibodies: facts
            .antibodies
            .into_iter()
            .map(|antibody| Antibody {
                code: antibody.code,
                present: antibody.present,
                conflict: antibody.conflict.into_iter().map(stated_presence).collect(),
            })
            .collect(),
        requirements: facts.requirements,
        requests: facts.requests.into_iter().map(request).collect(),
        transfusions: facts.transfusions.into_iter().map(transfusion).collect(),
        reactions: facts.reactions.into_iter().map(reaction).collect(),
        not_understood: number(facts.not_understood),
        logged_at: card.logged_at.to_string(),
        as_of: card.as_of.map(|time| time.to_string()),
    }
}

fn request(request: recipient::Request) -> HospitalRequest {
    HospitalRequest {
        id: request.id,
        product: product(request.product),
        quantity: request.quantity,
        status: request.status,
        priority: request.priority,
        date: request.date,
        organization: request.organization,
    }
}

fn transfusion(given: recipient::Transfusion) -> Transfusion {
    Transfusion {
        date: given.date,
        din: given.din.map(text),
        product: given.product.map(product),
        component_id: given.number,
        reaction: given.reaction,
    }
}

fn reaction(reaction: recipient::Reaction) -> Reaction {
    Reaction {
        date: reaction.date,
        code: reaction.code,
        seriousness: reaction.seriousness,
        component_id: reaction.number,
        din: reaction.din.map(text),
    }
}

fn text(din: Din) -> String {
    din.to_string()
}

#[cfg(test)]
mod tests {
    use infoblood_client::Holder;

    use super::*;

    #[test]
    fn whose_number_it_is() {
        let iin = Iin::compose(
            jiff::civil::date(1990, 1, 1),
            infoblood_clinical::iin::Sex::Male,
            1,
        );
        let iin = iin.unwrap();
        let donor = |id: &str| Holder::Donor(id.into());
        let recipient = |id: &str| Holder::Recipient(id.into());
        let several = |donors: &[&str], recipients: &[&str]| Scan::Several {
            text: iin.to_string(),
            donors: donors.iter().map(ToString::to_string).collect(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
        };
        for (holders, scan) in [
            (
                vec![],
                Scan::Unknown {
                    text: iin.to_string(),
                    expected: "known-iin".into(),
                },
            ),
            (vec![donor("d")], Scan::Donor { id: "d".into() }),
            (vec![recipient("r")], Scan::Recipient { id: "r".into() }),
            (vec![donor("a"), donor("b")], several(&["a", "b"], &[])),
            (vec![donor("a"), recipient("r")], several(&["a"], &["r"])),
            (
                vec![recipient("r"), recipient("s")],
                several(&[], &["r", "s"]),
            ),
        ] {
            assert_eq!(person(&iin, holders), scan);
        }
    }
}
