"""schemas/asyncapi.json is what the code says, and whole: each event type on one topic, each reference somewhere."""

from __future__ import annotations

import json
import re
from collections import Counter

import msgspec

from schemas import asyncapi, export, topics
from schemas.progress import ProgressRow
from schemas.rows import DailyRow


def test_the_file_is_what_the_code_says() -> None:
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.text(), "run: python -m schemas.asyncapi"


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi.document()
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))):
        file, _, path = reference.partition("#/")
        if file:
            assert (asyncapi.FILE.parent / file).exists(), reference
            continue
        found = document
        for step in path.split("/"):
            found = found[step]


def test_every_event_type_and_version_lies_on_one_topic_and_every_source_is_taken() -> None:
    document = asyncapi.document()
    channels = {name: each["messages"] for name, each in document["channels"].items()}
    on = Counter(name for messages in channels.values() for name in messages)
    assert on == dict.fromkeys(document["components"]["messages"], 1)
    assert export.MODELS.keys() <= on.keys()
    taken = {
        each["channel"]["$ref"].rpartition("/")[2]
        for each in document["operations"].values()
        if each["action"] == "receive"
    }
    assert taken == {topic.name for topic in topics.SOURCES}


def test_rows_are_described_by_the_names_that_they_have_on_the_wire() -> None:
    schemas = asyncapi.document()["components"]["schemas"]
    for row in (DailyRow("u", "2026-03-01", 1, energy_kcal=1.0), ProgressRow("u", 1, "2026-03-01")):
        said = json.loads(msgspec.json.encode(row))
        assert said.keys() <= schemas[type(row).__name__]["properties"].keys()
        assert set(schemas[type(row).__name__]["required"]) <= said.keys()
