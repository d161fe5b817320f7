//! A site without a network: the first file with all its donors, written by the server and read by a workstation.

use std::{fs::File, io::Write as _, path::Path};

use infoblood_client::courier::Progress;
use infoblood_server::{
    Context, Place,
    service::{
        courier::{self, Intake, MAX_WRONG_CODES},
        load,
    },
    storage::sqlite::SqliteDatabase,
};
use tokio::sync::mpsc;

use crate::{
    central,
    data::SITE,
    measured::{Line, Result, Watch, memory_now, peak_memory, reset_peak},
};

/// Nobody listens there: everything goes by files.
const NOWHERE: &str = "http://127.0.0.1:9";

pub(crate) async fn first_pack(donors: u64) -> Result<Vec<Line>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (server, machine, medium) = (
        tempfile::tempdir()?,
        tempfile::tempdir()?,
        tempfile::tempdir()?,
    );
    let context = central::begin(&Place::new(server.path())).await?;
    let seeding = Watch::start();
    load::seed(&context, donors, 7, Some(SITE)).await?;
    println!(
        "courier: the server took {donors} donors in {:.0} s",
        seeding.seconds()
    );
    let (workstation, session) = central::enrolled(&context, NOWHERE, &machine).await?;
    let (request, answer) = (
        medium.path().join("request.ibpack"),
        medium.path().join("answer.ibpack"),
    );
    workstation.export_pack(&request).await?;

    let mut lines = Vec::new();
    let mut stage = Stage::begin();
    reply(&context, &request, &answer).await?;
    let size = std::fs::metadata(&answer)?.len() / 1_048_576;
    lines.push(stage.end(format!("courier, {donors} donors: the answer, {size} MiB")));

    let progress = Progress::default();
    workstation.read_answer(&answer, &progress).await?;
    lines.push(stage.end("courier: verified and kept".into()));

    let cache = session.unlock(&workstation, false).await?;
    let applied = cache.apply_answer(&Progress::default()).await?;
    let applied = applied.ok_or("the answer has no patients")?.applied;
    lines.push(stage.end(format!("courier: {applied} changes in the cache")));
    cache.lock().await?;
    Ok(lines)
}

/// One step, with the most memory this process had in it.
struct Stage {
    watch: Watch,
    memory: u64,
}

impl Stage {
    fn begin() -> Self {
        reset_peak();
        Self {
            watch: Watch::start(),
            memory: memory_now(),
        }
    }

    fn end(&mut self, what: String) -> Line {
        let figure = format!(
            "{:.1} s, {} to {} MiB",
            self.watch.seconds(),
            self.memory,
            peak_memory()
        );
        *self = Self::begin();
        Line::new(what, figure, "memory that does not grow with it")
    }
}

/// What `infoblood-server courier` does.
async fn reply(context: &Context<SqliteDatabase>, request: &Path, answer: &Path) -> Result {
    let mut intake = Intake::new(&context.keys.sealing)?;
    intake.push(&std::fs::read(request)?).await?;
    let mut request = intake.end()?;
    let taken = courier::take(context, &mut request, MAX_WRONG_CODES).await?;
    let reply = courier::settle(context, &request, taken).await?;
    let (pieces, mut receiver) = mpsc::channel(1);
    let writing = async {
        let summary = reply.write(context, &pieces).await;
        drop(pieces);
        summary
    };
    let mut file = std::io::BufWriter::new(File::create(answer)?);
    let (summary, written) = tokio::join!(writing, async {
        while let Some(piece) = receiver.recv().await {
            file.write_all(&piece?)?;
        }
        Result::Ok(())
    });
    summary?;
    written?;
    Ok(file.flush()?)
}
