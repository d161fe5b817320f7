use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, array, inserted, signed, unsigned};
use crate::storage::{AgreementStorage, Decision, Document, Texts};

fn document(row: &PgRow) -> Stored<Document> {
    Ok(Document {
        digest: array(row, "digest")?,
        version: unsigned(row, "version")?,
        effective_from: row.try_get("effective_from")?,
        material: row.try_get("material")?,
        message: row.try_get("message")?,
    })
}

fn decision(row: &PgRow) -> Stored<Decision> {
    Ok(Decision {
        leaf: array(row, "leaf")?,
        leaf_index: unsigned(row, "leaf_index")?,
        person_id: row.try_get("person_id")?,
        device_id: row.try_get("device_id")?,
        document: array(row, "document")?,
        accepted: row.try_get("accepted")?,
        effective_at: row.try_get("effective_at")?,
        sequence: unsigned(row, "sequence")?,
    })
}

impl AgreementStorage for PostgresTx {
    async fn add_document(&mut self, document: &Document) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO documents (digest, version, effective_from, material, message) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(document.digest.as_slice())
        .bind(signed(document.version)?)
        .bind(document.effective_from)
        .bind(document.material)
        .bind(&document.message)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn document(&mut self, digest: &[u8; 32]) -> Stored<Option<Document>> {
        let row = sqlx::query("SELECT * FROM documents WHERE digest = $1")
            .bind(digest.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(document).transpose()
    }

    async fn documents_in_force(&mut self, at: i64) -> Stored<Vec<Document>> {
        let rows =
            sqlx::query("SELECT * FROM documents WHERE effective_from <= $1 ORDER BY version DESC")
                .bind(at)
                .fetch_all(self.conn())
                .await?;
        rows.iter().map(document).collect()
    }

    async fn documents_after(&mut self, version: u64) -> Stored<Vec<Document>> {
        // A version beyond what the database can count has nothing after it.
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        let rows = sqlx::query("SELECT * FROM documents WHERE version > $1 ORDER BY version")
            .bind(version)
            .fetch_all(self.conn())
            .await?;
        rows.iter().map(document).collect()
    }

    async fn add_texts(&mut self, digest: &[u8; 32], texts: &Texts) -> Stored<()> {
        let done = sqlx::query("INSERT INTO document_texts (digest, kk, ru, structure) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(digest.as_slice())
            .bind(&texts.kk)
            .bind(&texts.ru)
            .bind(&texts.structure)
            .execute(self.conn())
            .await?;
        inserted(&done)
    }

    async fn texts(&mut self, digest: &[u8; 32]) -> Stored<Option<Texts>> {
        let row = sqlx::query("SELECT kk, ru, structure FROM document_texts WHERE digest = $1")
            .bind(digest.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.map(|row| {
            Ok(Texts {
                kk: row.try_get("kk")?,
                ru: row.try_get("ru")?,
                structure: row.try_get("structure")?,
            })
        })
        .transpose()
    }

    async fn add_decision(&mut self, decision: &Decision) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO decisions (leaf, leaf_index, person_id, device_id, document, accepted, effective_at, sequence)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(decision.leaf.as_slice())
        .bind(signed(decision.leaf_index)?)
        .bind(&decision.person_id)
        .bind(&decision.device_id)
        .bind(decision.document.as_slice())
        .bind(decision.accepted)
        .bind(decision.effective_at)
        .bind(signed(decision.sequence)?)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn latest_decision(
        &mut self,
        person_id: &str,
        device_id: &str,
        document: &[u8; 32],
    ) -> Stored<Option<Decision>> {
        let row = sqlx::query(
            "SELECT * FROM decisions WHERE person_id = $1 AND device_id = $2 AND document = $3
             ORDER BY effective_at DESC, sequence DESC, leaf_index DESC LIMIT 1",
        )
        .bind(person_id)
        .bind(device_id)
        .bind(document.as_slice())
        .fetch_optional(self.conn())
        .await?;
        row.as_ref().map(decision).transpose()
    }
}
