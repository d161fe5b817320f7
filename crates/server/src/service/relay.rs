//! What a phone carries for a workstation without a network: both statements in, receipts and grant out.

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::relay::{Answer, Question};
use infoblood_agreement::statement::{self, Signer};

use super::entries::refused;
use super::{enrolments, entries, grants};
use crate::context::Context;
use crate::problem::Problem;
use crate::storage::Database;

/// Registers both statements and issues the grant, as far as each step is allowed; the same question again registers nothing more.
///
/// What the server decided is an answer, refusals too. An error is what says nothing about the question: it is malformed, or the
/// server is in trouble.
pub async fn answer<D: Database>(
    context: &Context<D>,
    question: &Question,
) -> Result<Answer, Problem> {
    let enrolment = statement::verify_enrolment(&question.enrolment, &Limits::DEFAULT)
        .map_err(|error| refused(&error))?;
    let claims = enrolment.payload();
    let signer = Signer {
        key: &claims.person_key,
        person_id: &claims.person_id,
        device_id: &claims.device_id,
    };
    // Before anything is registered: a changed half must not use up the code of the other.
    statement::verify_acceptance(&question.acceptance, &signer, &Limits::DEFAULT)
        .map_err(|error| refused(&error))?;
    let mut answer = Answer {
        person_id: claims.person_id.clone(),
        key_set: (context.key_set.version() > 1).then(|| context.key_set.as_bytes().to_vec()),
        ..Answer::default()
    };
    if let Err(problem) = fill(context, question, enrolment.kid(), &mut answer).await {
        if problem.status >= 500 || problem.status == 400 {
            return Err(problem);
        }
        answer.refusal = Some(problem.code.to_owned());
    }
    tracing::info!(refusal = answer.refusal.as_deref(), "relayed");
    Ok(answer)
}

async fn fill<D: Database>(
    context: &Context<D>,
    question: &Question,
    kid: &[u8; 32],
    answer: &mut Answer,
) -> Result<(), Problem> {
    let (entry, _) = enrolments::register(context, &question.enrolment).await?;
    answer.enrolment_receipt = Some(entry.receipt);
    let entry = entries::register(context, &question.acceptance).await?;
    answer.acceptance_receipt = Some(entry.receipt);
    answer.grant = Some(grants::issue_to_key(context, kid).await?);
    Ok(())
}
