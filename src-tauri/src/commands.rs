//! What the window may ask for. Every command sends one request to the controller and returns its answer.

use secrecy::SecretString;
use tauri::{State, ipc::Invoke};

use crate::{
    controller::{Handle, Request},
    view,
};

type Answer<T> = Result<T, view::AppError>;

pub(crate) fn handler() -> impl Fn(Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        get_state,
        set_language,
        get_agreement,
        accept_agreement,
        decline_agreement,
        open_agreement,
        back_to_people,
        check_code,
        check_passphrase,
        sign,
        sync_now,
        save_proof,
        sign_in,
        lock,
        touch,
        use_profile,
        search_donors,
        open_donor,
        open_donation,
        lookback,
        inventory,
        search_recipients,
        open_recipient,
        read_scan,
        choose_purpose,
        take_away,
        access_log,
        start_anew,
        break_glass,
        show_qr,
        relay_frame,
        retry_item,
        accept_again,
        decline_again,
        change_passphrase,
        courier_export,
        upload_begin,
        upload_piece,
        upload_end,
        upload_cancel,
    ]
}

#[tauri::command]
async fn get_state(controller: State<'_, Handle>) -> Answer<view::State> {
    controller.ask(Request::GetState).await
}

#[tauri::command]
async fn set_language(controller: State<'_, Handle>, language: view::Lang) -> Answer<()> {
    controller
        .ask(|reply| Request::SetLanguage { language, reply })
        .await
}

#[tauri::command]
async fn get_agreement(controller: State<'_, Handle>) -> Answer<view::AgreementView> {
    controller.ask(Request::GetAgreement).await
}

#[tauri::command]
async fn accept_agreement(controller: State<'_, Handle>, evidence: view::Evidence) -> Answer<()> {
    controller
        .ask(|reply| Request::AcceptAgreement { evidence, reply })
        .await
}

#[tauri::command]
async fn decline_agreement(controller: State<'_, Handle>, evidence: view::Evidence) -> Answer<()> {
    controller
        .ask(|reply| Request::DeclineAgreement { evidence, reply })
        .await
}

#[tauri::command]
async fn open_agreement(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::OpenAgreement).await
}

#[tauri::command]
async fn back_to_people(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::BackToPeople).await
}

#[tauri::command]
async fn check_code(controller: State<'_, Handle>, code: String) -> Answer<view::CodeCheck> {
    controller
        .ask(|reply| Request::CheckCode {
            code: code.into(),
            reply,
        })
        .await
}

#[tauri::command]
async fn check_passphrase(
    controller: State<'_, Handle>,
    login: String,
    passphrase: String,
) -> Answer<view::PassphraseCheck> {
    let passphrase = SecretString::from(passphrase);
    controller
        .ask(|reply| Request::CheckPassphrase {
            login,
            passphrase,
            reply,
        })
        .await
}

#[tauri::command]
async fn sign(
    controller: State<'_, Handle>,
    login: String,
    code: String,
    passphrase: String,
) -> Answer<()> {
    let (code, passphrase) = (SecretString::from(code), SecretString::from(passphrase));
    controller
        .ask(|reply| Request::Sign {
            login,
            code,
            passphrase,
            reply,
        })
        .await
}

#[tauri::command]
async fn sync_now(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::SyncNow).await
}

#[tauri::command]
async fn save_proof(controller: State<'_, Handle>, person_id: String) -> Answer<view::SavedProof> {
    controller
        .ask(|reply| Request::SaveProof { person_id, reply })
        .await
}

#[tauri::command]
async fn sign_in(
    controller: State<'_, Handle>,
    person_id: String,
    passphrase: String,
) -> Answer<()> {
    let passphrase = SecretString::from(passphrase);
    controller
        .ask(|reply| Request::SignIn {
            person_id,
            passphrase,
            reply,
        })
        .await
}

#[tauri::command]
async fn lock(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::Lock).await
}

#[tauri::command]
async fn touch(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::Touch).await
}

#[tauri::command]
async fn use_profile(controller: State<'_, Handle>, text: String) -> Answer<()> {
    controller
        .ask(|reply| Request::UseProfile { text, reply })
        .await
}

#[tauri::command]
async fn search_donors(
    controller: State<'_, Handle>,
    query: String,
    filter: Option<view::DonorFilter>,
    after: Option<String>,
) -> Answer<view::DonorPage> {
    controller
        .ask(|reply| Request::SearchDonors {
            query,
            filter: filter.unwrap_or_default(),
            after,
            reply,
        })
        .await
}

#[tauri::command]
async fn open_donor(controller: State<'_, Handle>, id: String) -> Answer<view::DonorCard> {
    controller
        .ask(|reply| Request::OpenDonor { id, reply })
        .await
}

#[tauri::command]
async fn open_donation(controller: State<'_, Handle>, din: String) -> Answer<view::DonationCard> {
    controller
        .ask(|reply| Request::OpenDonation { din, reply })
        .await
}

#[tauri::command]
async fn lookback(controller: State<'_, Handle>, din: String) -> Answer<view::Lookback> {
    controller
        .ask(|reply| Request::Lookback { din, reply })
        .await
}

#[tauri::command]
async fn inventory(
    controller: State<'_, Handle>,
    filter: view::InventoryFilter,
) -> Answer<view::Inventory> {
    controller
        .ask(|reply| Request::Inventory { filter, reply })
        .await
}

#[tauri::command]
async fn search_recipients(
    controller: State<'_, Handle>,
    query: String,
    after: Option<String>,
) -> Answer<view::RecipientPage> {
    controller
        .ask(|reply| Request::SearchRecipients {
            query,
            after,
            reply,
        })
        .await
}

#[tauri::command]
async fn open_recipient(controller: State<'_, Handle>, id: String) -> Answer<view::RecipientCard> {
    controller
        .ask(|reply| Request::OpenRecipient { id, reply })
        .await
}

#[tauri::command]
async fn read_scan(controller: State<'_, Handle>, text: String) -> Answer<view::Scan> {
    controller
        .ask(|reply| Request::ReadScan { text, reply })
        .await
}

#[tauri::command]
async fn choose_purpose(controller: State<'_, Handle>, purpose: view::Purpose) -> Answer<()> {
    controller
        .ask(|reply| Request::ChoosePurpose { purpose, reply })
        .await
}

#[tauri::command]
async fn access_log(
    controller: State<'_, Handle>,
    after: Option<String>,
) -> Answer<view::AccessPage> {
    controller
        .ask(|reply| Request::AccessLog { after, reply })
        .await
}

#[tauri::command]
async fn take_away(
    controller: State<'_, Handle>,
    taking: view::Taking,
    patients: Vec<String>,
) -> Answer<()> {
    controller
        .ask(|reply| Request::TakeAway {
            taking,
            patients,
            reply,
        })
        .await
}

#[tauri::command]
async fn courier_export(controller: State<'_, Handle>) -> Answer<view::SavedPack> {
    controller.ask(Request::CourierExport).await
}

#[tauri::command]
async fn upload_begin(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::UploadBegin).await
}

/// The piece is the raw body of the request: no copy as text.
#[tauri::command]
async fn upload_piece(
    controller: State<'_, Handle>,
    request: tauri::ipc::Request<'_>,
) -> Answer<()> {
    let bytes = match request.body() {
        tauri::ipc::InvokeBody::Raw(bytes) => bytes.clone(),
        tauri::ipc::InvokeBody::Json(_) => Vec::new(),
    };
    controller
        .ask(|reply| Request::UploadPiece { bytes, reply })
        .await
}

#[tauri::command]
async fn upload_end(controller: State<'_, Handle>) -> Answer<view::FileTaken> {
    controller.ask(Request::UploadEnd).await
}

#[tauri::command]
async fn upload_cancel(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::UploadCancel).await
}

#[tauri::command]
async fn start_anew(controller: State<'_, Handle>) -> Answer<()> {
    controller.ask(Request::StartAnew).await
}

#[tauri::command]
async fn break_glass(controller: State<'_, Handle>, reason: String) -> Answer<()> {
    controller
        .ask(|reply| Request::BreakGlass { reason, reply })
        .await
}

#[tauri::command]
async fn show_qr(controller: State<'_, Handle>, person_id: String) -> Answer<view::QrCode> {
    controller
        .ask(|reply| Request::ShowQr { person_id, reply })
        .await
}

#[tauri::command]
async fn relay_frame(controller: State<'_, Handle>, text: String) -> Answer<view::FramesTaken> {
    controller
        .ask(|reply| Request::RelayFrame { text, reply })
        .await
}

#[tauri::command]
async fn retry_item(controller: State<'_, Handle>, id: String) -> Answer<()> {
    controller
        .ask(|reply| Request::RetryItem { id, reply })
        .await
}

#[tauri::command]
async fn accept_again(
    controller: State<'_, Handle>,
    evidence: view::Evidence,
    passphrase: String,
) -> Answer<()> {
    let passphrase = SecretString::from(passphrase);
    controller
        .ask(|reply| Request::AcceptAgain {
            evidence,
            passphrase,
            reply,
        })
        .await
}

#[tauri::command]
async fn decline_again(
    controller: State<'_, Handle>,
    evidence: view::Evidence,
    passphrase: String,
) -> Answer<()> {
    let passphrase = SecretString::from(passphrase);
    controller
        .ask(|reply| Request::DeclineAgain {
            evidence,
            passphrase,
            reply,
        })
        .await
}

#[tauri::command]
async fn change_passphrase(
    controller: State<'_, Handle>,
    person_id: String,
    old: String,
    new: String,
) -> Answer<()> {
    let (old, new) = (SecretString::from(old), SecretString::from(new));
    controller
        .ask(|reply| Request::ChangePassphrase {
            person_id,
            old,
            new,
            reply,
        })
        .await
}
