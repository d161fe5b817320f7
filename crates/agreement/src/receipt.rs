//! COSE Receipts (RFC 9942): the log's proof that a statement is in it.

use crate::cbor::{self, CborError, Limits, Value};
use crate::cose::{CoseError, Header, Sign1, sign_detached};
use crate::keys::{Kid, PublicKey, SigningKey};
use crate::log::{Hash, derive_root};

/// RFC 9162 with SHA-256.
const VDS_RFC9162_SHA256: i64 = 1;
/// Unprotected header: verifiable data structure proofs.
const VDP: i64 = 396;
const INCLUSION: i64 = -1;

/// Why a receipt is refused. For a person every one of them is `receipt-invalid`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("not a receipt")]
    Malformed(#[from] CoseError),
    #[error("the proof is malformed")]
    Proof,
    #[error("the proof does not lead from this leaf to a root")]
    Path,
    #[error("the receipt is about another subject")]
    Subject,
    #[error("the log's key or signature does not fit")]
    Signature(#[source] CoseError),
    #[error("no published key has made this receipt")]
    UnknownKey,
}

impl ReceiptError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        "receipt-invalid"
    }
}

/// A place in the log with its proof, to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Number of leaves of the tree the root belongs to.
    pub tree_size: u64,
    /// The leaf's place, from 0.
    pub leaf_index: u64,
    /// RFC 9162 path, leaf to root.
    pub path: Vec<Hash>,
}

/// Signs a receipt: `iss` the server's URL, `sub` the statement's, `iat` Unix seconds of the registration. The root is derived
/// from `leaf` and `inclusion`.
pub fn issue(
    leaf: &Hash,
    inclusion: &Inclusion,
    iss: &str,
    sub: &str,
    iat: i64,
    key: &SigningKey,
) -> Result<Vec<u8>, ReceiptError> {
    let root = derive_root(
        leaf,
        inclusion.leaf_index,
        inclusion.tree_size,
        &inclusion.path,
    )
    .ok_or(ReceiptError::Path)?;
    let header = Header {
        content_type: None,
        kid: PublicKey::of(key).kid(),
        iss: iss.to_owned(),
        sub: sub.to_owned(),
        iat: Some(iat),
        vds: Some(VDS_RFC9162_SHA256),
    };
    let proof = cbor::encode(&Value::Array(vec![
        inclusion.tree_size.into(),
        inclusion.leaf_index.into(),
        Value::Array(inclusion.path.iter().map(Value::from).collect()),
    ]));
    let unprotected = Value::map([(
        VDP,
        Value::map([(INCLUSION, Value::Array(vec![proof.into()]))]),
    )]);
    Ok(sign_detached(&header, &unprotected, &root, key))
}

/// A parsed, *not yet verified* receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    message: Sign1,
    inclusion: Inclusion,
}

impl Receipt {
    /// Parses a receipt with exactly one inclusion proof.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ReceiptError> {
        let message = Sign1::parse(bytes, limits)?;
        let header = message.unverified_header();
        if header.vds != Some(VDS_RFC9162_SHA256)
            || header.content_type.is_some()
            || header.iat.is_none()
        {
            return Err(CoseError::Header.into());
        }
        let [(vdp, Value::Map(proofs))] = message.unprotected() else {
            return Err(ReceiptError::Proof);
        };
        let [(inclusion, Value::Array(proofs))] = proofs.as_slice() else {
            return Err(ReceiptError::Proof);
        };
        let [Value::Bytes(proof)] = proofs.as_slice() else {
            return Err(ReceiptError::Proof);
        };
        if vdp.as_i64() != Some(VDP) || inclusion.as_i64() != Some(INCLUSION) {
            return Err(ReceiptError::Proof);
        }
        let inclusion = parse_proof(proof, limits)?;
        Ok(Self { message, inclusion })
    }

    /// Which key claims to have signed: for looking it up.
    pub fn unverified_kid(&self) -> &Kid {
        &self.message.unverified_header().kid
    }

    /// Verifies that the log with `key` has `leaf`, registered under subject `sub`.
    pub fn verify(
        &self,
        leaf: &Hash,
        sub: &str,
        key: &PublicKey,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let Inclusion {
            tree_size,
            leaf_index,
            path,
        } = &self.inclusion;
        let root = derive_root(leaf, *leaf_index, *tree_size, path).ok_or(ReceiptError::Path)?;
        self.message
            .verify_detached(key, &root)
            .map_err(ReceiptError::Signature)?;
        let header = self.message.unverified_header();
        if header.sub != sub {
            return Err(ReceiptError::Subject);
        }
        Ok(VerifiedReceipt {
            raw: self.message.raw().to_vec(),
            leaf: *leaf,
            tree_size: *tree_size,
            leaf_index: *leaf_index,
            root,
            issuer: header.iss.clone(),
            registered_at: header.iat.ok_or(CoseError::Header)?,
        })
    }
}

fn parse_proof(bytes: &[u8], limits: &Limits) -> Result<Inclusion, ReceiptError> {
    let value = cbor::decode(bytes, limits).map_err(|error: CborError| CoseError::from(error))?;
    let Some([tree_size, leaf_index, Value::Array(path)]) = value.as_items() else {
        return Err(ReceiptError::Proof);
    };
    let path = path.iter().map(Value::as_array).collect::<Option<_>>();
    Ok(Inclusion {
        tree_size: tree_size.as_u64().ok_or(ReceiptError::Proof)?,
        leaf_index: leaf_index.as_u64().ok_or(ReceiptError::Proof)?,
        path: path.ok_or(ReceiptError::Proof)?,
    })
}

/// Parses and verifies in one step.
pub fn verify(
    bytes: &[u8],
    leaf: &Hash,
    sub: &str,
    key: &PublicKey,
    limits: &Limits,
) -> Result<VerifiedReceipt, ReceiptError> {
    Receipt::parse(bytes, limits)?.verify(leaf, sub, key)
}

/// What a verified receipt says. Only [`Receipt::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    raw: Vec<u8>,
    leaf: Hash,
    tree_size: u64,
    leaf_index: u64,
    root: Hash,
    issuer: String,
    registered_at: i64,
}

impl VerifiedReceipt {
    /// The receipt's bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The leaf hash it is about.
    pub fn leaf(&self) -> &Hash {
        &self.leaf
    }

    /// Leaves in the tree when it was made.
    pub fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// The leaf's place in the log, from 0.
    pub fn leaf_index(&self) -> u64 {
        self.leaf_index
    }

    /// The root that was signed.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The server's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Unix seconds of the registration, by the server's clock.
    pub fn registered_at(&self) -> i64 {
        self.registered_at
    }
}
