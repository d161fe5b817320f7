"""Validates FHIR resources against the published R5 definitions with fhir.resources, a library that is not ours.

Usage: fhir_r5.py PATH…, each a file of one resource (.json), of one per line (.ndjson), or a folder of such files.
"""

import collections
import json
import pathlib
import sys

from fhir.resources import get_fhir_model_class

# A resource that the definitions do not know: the validator must see it.
BROKEN = {"resourceType": "BiologicallyDerivedProduct", "id": "x", "biologicalSourceEvent": {"reference": "Procedure/p"}}


def files(path):
    return sorted(p for p in path.rglob("*") if p.suffix in (".json", ".ndjson")) if path.is_dir() else [path]


def resources(path):
    text = path.read_text(encoding="utf-8")
    for part in text.splitlines() if path.suffix == ".ndjson" else [text]:
        yield json.loads(part)


def validate(resource):
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def main():
    try:
        validate(BROKEN)
    except ValueError:
        pass
    else:
        raise AssertionError("the validator takes anything")
    counted = collections.Counter()
    for path in (file for argument in sys.argv[1:] for file in files(pathlib.Path(argument))):
        for resource in resources(path):
            try:
                validate(resource)
            except ValueError as error:
                sys.exit(f"{path.name}: {resource['resourceType']}/{resource['id']}: {error}")
            counted[resource["resourceType"]] += 1
    assert counted, "nothing to validate"
    print("valid R5: " + ", ".join(f"{number} {name}" for name, number in sorted(counted.items())))


main()
