//! Every write of a workstation on a full disk: each act is tried with ever more blocks left, until it succeeds. So the disk is full at
//! its first write, at its second, and so on to its last. `cargo xtask faults` gives this test a small file system.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use infoblood_agreement::{audit::Purpose, document::Change};
use infoblood_client::{
    Decision, EnrolRequest, Workstation,
    courier::Progress,
    relay::{Collector, typed},
    sync,
};
use infoblood_server::service::administration;

use crate::carried::serve;
use crate::common::{Central, Machine, PASSPHRASE, request};
use crate::versions::about;

/// Where the small file system stands.
const ROOM: &str = "INFOBLOOD_ROOM";
/// The unit of the file system.
const BLOCK: u64 = 4096;
/// No act here needs more.
const MOST: u64 = 3 << 20;
const OTHER: &str = "сорок тюльпанов у перевала";

/// A file that takes all the room but some; dropping it gives the room back.
struct Filler(PathBuf);

impl Filler {
    fn fill(room: &Path, leave: u64) -> Self {
        let filler = Self(room.join("filler"));
        let mut file = File::create(&filler.0).unwrap();
        let mut piece = vec![0x5a; 64 << 10];
        while !piece.is_empty() {
            match file.write(&piece) {
                Ok(_) => {}
                // Ever smaller pieces, to the last block.
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(leave)).unwrap();
        filler
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

struct Room {
    at: PathBuf,
    acts: u32,
    full: u32,
}

impl Room {
    /// Tries the act until there is room for it. `None` stands for «not done, and nobody was told otherwise».
    async fn until_done<T>(
        &mut self,
        what: &str,
        mut act: impl AsyncFnMut() -> Result<Option<T>, &'static str>,
    ) -> T {
        let mut leave = 0;
        // Small writes need a block each; the room between two tries grows where many are needed.
        loop {
            let filler = Filler::fill(&self.at, leave);
            let outcome = act().await;
            drop(filler);
            match outcome {
                Ok(Some(done)) => {
                    self.acts += 1;
                    return done;
                }
                Ok(None) => {}
                Err(code) => assert_eq!(code, "disk-full", "{what} with {leave} bytes left"),
            }
            self.full += 1;
            leave += BLOCK.max(leave / 16 / BLOCK * BLOCK);
            assert!(leave < MOST, "{what} is not done with {leave} bytes left");
        }
    }
}

/// Nothing that was said to be stored is gone, and what is there opens.
async fn holds(workstation: &Workstation, people: usize, waiting: u64) {
    assert_eq!(workstation.people().await.unwrap().len(), people);
    assert!(workstation.waiting().await.unwrap() >= waiting);
    workstation.sync_status().await.unwrap();
}

#[tokio::test]
#[ignore = "needs a small file system: `cargo xtask faults --only writes`"]
#[expect(clippy::print_stdout, reason = "the command reads these counts")]
async fn every_write_meets_a_full_disk() {
    let at = PathBuf::from(std::env::var(ROOM).unwrap());
    let mut room = Room {
        at: at.clone(),
        acts: 0,
        full: 0,
    };
    let mut central = Central::start().await;
    central.seed(60).await;
    let machine = Machine::inside(&at);
    let path = &central.profile.clone();

    let workstation = room
        .until_done("the first start", async || {
            let opened = machine.open_with(path, Machine::options()).await;
            opened.map(Some).map_err(|error| error.code())
        })
        .await;
    let code = central.person("aidana").await;
    let pending = room
        .until_done("signing", async || {
            holds(&workstation, 0, 0).await;
            let signed = workstation.enrol(request("aidana", &code)).await;
            signed.map(Some).map_err(|error| error.code())
        })
        .await;
    let (person, session) = (pending.person_id, pending.session);
    let before = central.tree_size().await;
    room.until_done("keeping the receipts", async || {
        holds(&workstation, 1, 0).await;
        sync::retry_now(&workstation)
            .await
            .map_err(|error| error.code())?;
        let outcome = sync::run_once(&workstation).await;
        let outcome = outcome.map_err(|error| error.code())?;
        let told = outcome.registered.contains(&person);
        Ok((told || outcome.waiting == 0).then_some(()))
    })
    .await;
    assert_eq!(central.tree_size().await, before + 2, "each once");
    let open = room
        .until_done("the grant and an empty cache", async || {
            holds(&workstation, 1, 0).await;
            let opened = session.unlock(&workstation, true).await;
            opened.map(Some).map_err(|error| error.code())
        })
        .await;
    room.until_done("filling the cache", async || {
        let filled = open.refresh().await;
        filled.map(Some).map_err(|error| error.code())
    })
    .await;
    let page = open.search(open.gate(), "", None, 5).await.unwrap();
    assert_eq!(page.total, 60);
    let donor = &page.rows[0].summary.id;
    room.until_done("the purpose of access", async || {
        let chosen = open.choose_purpose(Purpose::Donation).await;
        chosen.map(Some).map_err(|error| error.code())
    })
    .await;
    room.until_done("looking at a card", async || {
        let waiting = workstation.waiting().await.map_err(|error| error.code())?;
        let seen = open.card(open.gate(), donor).await;
        let now = workstation.waiting().await.map_err(|error| error.code())?;
        assert!(seen.is_err() || now > waiting, "a look without its event");
        seen.map(Some).map_err(|error| error.code())
    })
    .await;
    open.lock().await.unwrap();

    room.until_done("another passphrase", async || {
        let changed = workstation.change_passphrase(&person, PASSPHRASE.into(), OTHER.into());
        changed.await.map(Some).map_err(|error| error.code())
    })
    .await;
    assert!(
        workstation
            .sign_in(&person, PASSPHRASE.into())
            .await
            .is_err()
    );
    let session = room
        .until_done("signing in", async || {
            let opened = workstation.sign_in(&person, OTHER.into()).await;
            opened.map(Some).map_err(|error| error.code())
        })
        .await;

    let second = central.publish(Change::Material, 0).await;
    room.until_done("new terms", async || {
        sync::retry_now(&workstation)
            .await
            .map_err(|error| error.code())?;
        let outcome = sync::run_once(&workstation).await;
        outcome.map_err(|error| error.code())?;
        let documents = workstation.documents();
        Ok((documents.all().last().unwrap().digest() == second.digest()).then_some(()))
    })
    .await;
    let evidence = about(&second);
    room.until_done("accepting anew", async || {
        let accepted = workstation.accept_again(&session, &evidence, Decision::Accepted);
        accepted.await.map(Some).map_err(|error| error.code())
    })
    .await;
    room.until_done("its receipt", async || {
        sync::retry_now(&workstation)
            .await
            .map_err(|error| error.code())?;
        let outcome = sync::run_once(&workstation).await;
        let outcome = outcome.map_err(|error| error.code())?;
        Ok((outcome.waiting == 0).then_some(()))
    })
    .await;
    assert_eq!(
        central.tree_size().await,
        before + 4,
        "one publication, one acceptance"
    );

    // A second person, by file and by phone.
    central.unplug().await;
    let code = central.person("bakyt").await;
    let colleague = EnrolRequest {
        evidence: about(&second),
        ..request("bakyt", &code)
    };
    let colleague = workstation.enrol(colleague).await.unwrap();
    let url = workstation.relay_url(&colleague.person_id).await.unwrap();
    let mut collector = Collector::default();
    for text in central.phone(&url.unwrap()).await {
        collector.take(&typed(&text)).unwrap();
    }
    let frames = collector.answer().unwrap();
    room.until_done("the phone's answer", async || {
        holds(&workstation, 2, 0).await;
        let accepted = workstation.accept_relay(&frames).await;
        accepted.map(Some).map_err(|error| error.code())
    })
    .await;
    let (asked, answer) = (at.join("request.ibpack"), at.join("answer.ibpack"));
    room.until_done("a file for the courier", async || {
        let exported = workstation.export_pack(&asked).await;
        assert!(exported.is_ok() || !asked.exists(), "half a file");
        exported.map(Some).map_err(|error| error.code())
    })
    .await;
    serve(&central, &asked, &answer).await;
    let taken = room
        .until_done("the courier's answer", async || {
            holds(&workstation, 2, 0).await;
            let read = workstation.read_answer(&answer, &Progress::default()).await;
            read.map(Some).map_err(|error| error.code())
        })
        .await;
    assert_eq!(taken.refused, 0);
    for passed in [&session, &colleague.session] {
        passed
            .unlock(&workstation, false)
            .await
            .unwrap()
            .lock()
            .await
            .unwrap();
    }

    central.plug().await;
    administration::revoke_person(&central.context, "bakyt")
        .await
        .unwrap();
    room.until_done("destroying what was revoked", async || {
        let refused = colleague.session.unlock(&workstation, true).await;
        let code = refused.err().unwrap().code();
        assert!(["person-revoked", "disk-full"].contains(&code), "{code}");
        Ok((code == "person-revoked").then_some(()))
    })
    .await;
    assert!(colleague.session.unlock(&workstation, false).await.is_err());
    session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();

    drop(session);
    drop(colleague);
    workstation.close().await.unwrap();
    let workstation = room
        .until_done("the next start", async || {
            let opened = machine.open_with(path, Machine::options()).await;
            opened.map(Some).map_err(|error| error.code())
        })
        .await;
    let session = workstation.sign_in(&person, OTHER.into()).await.unwrap();
    session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
    let device = workstation.device_id();
    administration::revoke_device(&central.context, &device)
        .await
        .unwrap();
    room.until_done("the wipe", async || {
        let refused = session.unlock(&workstation, true).await;
        let code = refused.err().unwrap().code();
        assert!(["device-revoked", "disk-full"].contains(&code), "{code}");
        let is_wiped = code == "device-revoked" && workstation.is_revoked().await.unwrap();
        Ok(is_wiped.then_some(()))
    })
    .await;
    assert!(workstation.sign_in(&person, OTHER.into()).await.is_err());
    drop(session);
    workstation.close().await.unwrap();
    let item = machine.keyring.0.lock().unwrap().take();
    let workstation = room
        .until_done("beginning anew", async || {
            let begun = machine.try_start_anew(path).await;
            begun.map(Some).map_err(|error| error.code())
        })
        .await;
    assert!(item.is_some() && workstation.people().await.unwrap().is_empty());
    sync::run_once(&workstation).await.unwrap();
    println!("acts: {}, full: {}", room.acts, room.full);
}
