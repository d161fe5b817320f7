//! Donations and the look back through the controller, over what a real server seeded.

use infoblood::view::{DonationCard, DonorCard, Lookback};

use super::*;

impl App {
    async fn donation(&self, din: &str) -> Result<DonationCard, AppError> {
        let din = din.to_owned();
        self.handle
            .ask(|reply| Request::OpenDonation { din, reply })
            .await
    }

    async fn look_back(&self, din: &str) -> Result<Lookback, AppError> {
        let din = din.to_owned();
        self.handle
            .ask(|reply| Request::Lookback { din, reply })
            .await
    }

    async fn donor_card(&self, id: &str) -> DonorCard {
        let id = id.to_owned();
        let card = self.handle.ask(|reply| Request::OpenDonor { id, reply });
        card.await.unwrap()
    }
}

#[tokio::test]
async fn a_donation_what_was_made_of_it_and_whom_it_reached() {
    let world = World::new().await;
    let code = world.person("A.Serik").await;
    let _server = world.serve(None).await;
    let app = world.launch();
    app.state().await;
    let locked = app.donation("KZ00126000001").await.unwrap_err();
    assert_eq!(locked.code, "patient-locked");
    let locked = app.look_back("KZ00126000001").await.unwrap_err();
    assert_eq!(locked.code, "patient-locked");
    app.accept().await.unwrap();
    app.sign("A.Serik", &code, PASSPHRASE).await.unwrap();
    app.shown("unlocked", is_unlocked).await;
    let refused = app.look_back("KZ00126000001").await.unwrap_err();
    assert_eq!(refused.code, "purpose-required");
    app.choose_purpose().await;

    let (mut components, mut reached, mut screened) = (0, 0, 0);
    for row in app.donors("").await.unwrap().rows {
        let donor = app.donor_card(&row.id).await;
        assert_eq!(donor.next_dates.len(), 3);
        assert!(
            donor
                .next_dates
                .iter()
                .all(|next| !next.verified || next.rule.is_none())
        );
        assert_eq!(donor.not_understood, 0);
        for made in &donor.donations {
            let Some(din) = &made.din else { continue };
            let card = app.donation(din).await.unwrap();
            assert_eq!(
                (&card.din, card.din_check),
                (din, made.din_check.clone().unwrap())
            );
            assert_eq!(card.donor_id.as_ref(), Some(&donor.id));
            assert_eq!(card.volume_ml, made.volume_ml);
            assert_eq!(card.date.as_ref(), Some(&made.date));
            assert!(card.others.is_empty() && card.training);
            let of_donor = donor
                .screening
                .iter()
                .find(|row| row.din.as_ref() == Some(din));
            assert_eq!(card.screening.as_ref(), of_donor);
            screened += usize::from(of_donor.is_some_and(|row| row.results.len() >= 5));
            let back = app.look_back(din).await.unwrap();
            assert_eq!(back.components, card.components);
            assert_eq!(back.donor_name, card.donor_name);
            for gone in card
                .components
                .iter()
                .filter_map(|part| part.gone_to.as_ref())
            {
                let who = gone.recipient_id.as_ref().unwrap();
                assert!(back.recipients.iter().any(|person| person.id == *who));
                assert!(gone.organization.is_some());
            }
            components += card.components.len();
            reached += back.recipients.len();
        }
    }
    assert!(
        components > 10 && reached > 0 && screened > 0,
        "{components} {reached} {screened}"
    );
    for nothing in ["KZ99926000001", "", "../x", "KZ00126000001X", "' OR 1=1 --"] {
        assert_eq!(
            app.donation(nothing).await.unwrap_err().code,
            "donation-unknown"
        );
        assert_eq!(
            app.look_back(nothing).await.unwrap_err().code,
            "donation-unknown"
        );
    }
    let nobody = |reply| Request::OpenDonor {
        id: "d-nobody".into(),
        reply,
    };
    let unknown = app.handle.ask(nobody).await.unwrap_err();
    assert_eq!(unknown.code, "record-unknown", "not a reason to sign in");
    app.shown("every look reached the server", |state| state.waiting == 0)
        .await;
    app.close().await;
}
