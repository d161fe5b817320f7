//! A lease that runs out: warnings, reading only, an emergency, the end.

use std::sync::atomic::Ordering;

use infoblood_client::{LeaseState, Mode, sync};
use infoblood_server::storage::{AuditStorage as _, Database as _};

use crate::common::{Central, Machine, enrolled};

const DAY: i64 = 24 * 3600;

fn set(machine: &Machine, days: i64) {
    machine.clock.0.store(days * DAY, Ordering::SeqCst);
}

#[tokio::test]
async fn it_warns_then_reads_only_then_ends_and_a_reason_lifts_it_in_between() {
    let central = Central::start_site(|site| site.break_glass = true).await;
    central.seed(2).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "lease").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    assert_eq!(open.mode(), Some(Mode::Full));
    for (days, state) in [
        (0, LeaseState::Ok),
        (24, LeaseState::Soon),
        (28, LeaseState::Attention),
        (31, LeaseState::ReadOnly),
        (38, LeaseState::Ended),
    ] {
        set(&machine, days);
        let person = workstation.people().await.unwrap().remove(0);
        assert_eq!(
            (person.lease.unwrap().state, open.lease().state),
            (state, state)
        );
        assert!(person.read_only_until > person.offline_until);
    }

    // Before its time nobody breaks glass; the try is recorded.
    set(&machine, 29);
    let reason = "Жедел ота, байланыс жоқ";
    let early = open.break_glass(reason).await.unwrap_err();
    assert_eq!(early.code(), "break-glass-not-now");

    set(&machine, 31);
    open.lock().await.unwrap();
    let open = session.unlock(&workstation, false).await.unwrap();
    assert_eq!(open.mode(), Some(Mode::ReadOnly));
    let page = open.search(open.gate(), "", None, 5).await.unwrap();
    assert_eq!(page.total, 2, "reading goes on");
    let short = open.break_glass("срочно").await.unwrap_err();
    assert_eq!(short.code(), "break-glass-reason");
    assert_eq!(open.mode(), Some(Mode::ReadOnly));
    let before = workstation.waiting().await.unwrap();
    open.break_glass(reason).await.unwrap();
    assert_eq!(workstation.waiting().await.unwrap(), before + 1);
    assert_eq!(open.mode(), Some(Mode::BreakGlass));

    set(&machine, 38);
    assert_eq!(open.mode(), None);
    let ended = open.search(open.gate(), "", None, 5).await.unwrap_err();
    assert_eq!(ended.code(), "grant-expired");
    let ended = session.unlock(&workstation, false).await.err().unwrap();
    assert_eq!(ended.code(), "grant-expired");
    open.lock().await.unwrap();

    // Back in time, with a network: renewed, nothing is lost, and the server has the reason.
    set(&machine, 0);
    sync::retry_now(&workstation).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    let open = session.unlock(&workstation, true).await.unwrap();
    assert_eq!(open.mode(), Some(Mode::Full));
    let mut server = central.context.database.read().await.unwrap();
    let gaps = server.audit_gaps(&workstation.device_id()).await.unwrap();
    assert_eq!(gaps, []);
}

#[tokio::test]
async fn where_the_policy_forbids_it_nothing_is_lifted() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "policy").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    set(&machine, 31);
    let refused = open
        .break_glass("Жедел ота, байланыс жоқ")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "break-glass-forbidden");
    assert_eq!(open.mode(), Some(Mode::ReadOnly));
}
