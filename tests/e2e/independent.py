"""Verifies the exported transparent statements with scitt-cose, a library that shares no code with ours.

Usage: independent.py FOLDER, with acceptance.cose, enrolment.cose and scitt-keys.cbor in it.
"""

import hashlib
import pathlib
import sys

import cbor2
import scitt_cose
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CWT_CLAIMS = 15


def pem(key):
    public = Ed25519PublicKey.from_public_bytes(key[-2])
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def verify(folder, name, keys):
    raw = (folder / name).read_bytes()
    outer = cbor2.loads(raw)
    assert outer.tag == 18, "a COSE_Sign1 message"
    protected, _, payload, signature = outer.value
    # The leaf commits to the statement without what was attached later.
    parts = (cbor2.dumps(part) for part in (protected, {}, payload, signature))
    entry = b"\xd2\x84" + b"".join(parts)
    receipts = scitt_cose.extract_receipts(raw)
    assert receipts, "a receipt is attached"
    for receipt in receipts:
        kid = cbor2.loads(cbor2.loads(receipt).value[0])[4]
        result = scitt_cose.verify_receipt(receipt, leaf_entry_hex=entry.hex(), log_public_key_pem=keys[kid])
        assert result.ok, result.errors
        assert result.subject == cbor2.loads(protected)[CWT_CLAIMS][2], "the receipt's subject is the statement's"
        changed = bytearray(entry)
        changed[-1] ^= 1
        other = scitt_cose.verify_receipt(receipt, leaf_entry_hex=changed.hex(), log_public_key_pem=keys[kid])
        assert not other.ok, "a changed statement must be refused"
        leaf = hashlib.sha256(b"\x00" + entry).hexdigest()
        print(f"{name}: leaf {leaf}, entry {result.leaf_index} of {result.tree_size}, verified by scitt-cose")


def main():
    folder = pathlib.Path(sys.argv[1])
    published = cbor2.loads((folder / "scitt-keys.cbor").read_bytes())
    keys = {key[2]: pem(key) for key in published}
    for name in ("acceptance.cose", "enrolment.cose"):
        verify(folder, name, keys)


main()
