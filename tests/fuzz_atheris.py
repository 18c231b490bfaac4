"""Coverage-guided fuzzing of everything that reads what a client wrote; by hand, for as long as you like.

    pip install atheris                                  # not needed for anything else
    python tests/fuzz_atheris.py -max_total_time=600     # any option of libFuzzer; a folder as argument is the corpus

The first byte of an input chooses the topic and what key and headers come with it, the rest is the record's value. The
corpus begins with one of every event, good and spoiled. Whatever raises is written to crash-… and ends the run; give
that file as the only argument to see it again. docs/guarantees.md says what was found so far.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
os.environ.setdefault("DAYBOOK_NATIVE", "0")  # the compiled reader shows the fuzzer nothing; =1 fuzzes it blindly

with atheris.instrument_imports(include=["schemas", "streams", "sinks"]):
    from fuzz_ways import EXAMPLES, TOPICS, Hostile, key_of, through

from events import RECEIVED_MS  # noqa: E402

from producers.spoiled import SPOILERS  # noqa: E402
from schemas.codec import NUL_ESCAPE  # noqa: E402
from schemas.receipt import header  # noqa: E402

KEYS = 4
HEADERS = ((), (header(RECEIVED_MS - 10**9),), (("", None), ("\ud800", b"\xff")))


def test_one_input(data: bytes) -> None:
    """Called by libFuzzer."""
    if not data:
        return
    choice, raw = data[0], data[1:]
    topic = TOPICS[choice % len(TOPICS)]
    key = (key_of(raw), key_of(raw), b"\xff\x00", None)[choice // len(TOPICS) % KEYS]
    headers = HEADERS[choice // len(TOPICS) // KEYS % len(HEADERS)]
    one: Hostile = (key, raw, headers)
    # twice and beside a good one: what a record does to its neighbours counts too
    through(topic, [one, (b"u_1001", EXAMPLES[0], ()), one])


INTERESTING = (
    *(None, True, 0, -1, 1, 2, 0.5, 1e-320, 1e308, 2**31, 2**63, 2**64, 10**30, -0.0),
    *("", "x" * 201, "\ud800", "\u0000", "\U0010ffff", "1970-01-01", "9999-12-31", "0001-01-01", "2026-02-30", "23:59"),
    *(
        "2026-03-01T23:59:59.999999999-23:59",
        "9999-12-31T23:59:59+14:00",
        "1970-01-02T00:00:00Z",
        "2026-12-31T24:00:00Z",
    ),
    *("Europe/Berlin", "../etc/passwd", "Pacific/Apia", "urn:daybook:meal.logged:1", "urn:daybook:meal.logged:2"),
    *([], {}, [None], {"": ""}, [[[[]]]], {"name": "x"}),
)


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Half of the time on the level of JSON: bytes alone seldom get past the decoder."""
    rng = Random(seed)
    try:
        event = json.loads(data[1:]) if rng.random() < 0.5 else None
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return bytes(atheris.Mutate(data, most))
    for _ in range(rng.randint(1, 3)):
        place: Any = event
        while True:
            names = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not names:
                break
            name = rng.choice(names)
            if isinstance(place[name], dict | list) and rng.random() < 0.7:
                place = place[name]
                continue
            if rng.random() < 0.2:
                del place[name]
            elif rng.random() < 0.2:
                donor = json.loads(rng.choice(EXAMPLES))
                place[name] = donor.get(name, donor["data"]) if isinstance(place, dict) else donor["data"]
            else:
                place[name] = rng.choice(INTERESTING)
            break
    changed = json.dumps(event, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    first = bytes([rng.randrange(256)]) if rng.random() < 0.2 else data[:1]
    return (first + changed)[:most]


def corpus(folder: Path) -> None:
    """One of every event, on its topic; and each of them spoiled in every way that tests know."""
    rng = Random(1)
    for n, raw in enumerate(EXAMPLES):
        for topic in range(len(TOPICS)):
            (folder / f"good-{n}-{topic}").write_bytes(bytes([topic]) + raw)
            (folder / f"nul-{n}-{topic}").write_bytes(bytes([topic]) + raw.replace(b"data", NUL_ESCAPE + b"data", 1))
        for m, spoil in enumerate(SPOILERS):
            try:
                (folder / f"bad-{n}-{m}").write_bytes(bytes([rng.randrange(256)]) + spoil(raw, "meal.logged"))
            except (KeyError, ValueError):
                continue


def words(file: Path) -> None:
    """What JSON and our events are made of, for libFuzzer to insert."""
    found = {b"null", b"true", b"1e999", b"-0.0", b"[", b"]", b"{", b"}", b":", b",", b'"'}
    found |= {NUL_ESCAPE, b"\\ud800"}
    for raw in EXAMPLES:
        found |= {word for word in raw.split(b'"') if word.isalnum() or word.replace(b"_", b"").isalnum()}
    lines = [b'"' + word.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' for word in sorted(found)]
    file.write_bytes(b"\n".join(lines) + b"\n")


def main() -> None:
    arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        if not any(Path(argument).exists() for argument in arguments):
            seeds = Path(scratch) / "corpus"
            seeds.mkdir()
            corpus(seeds)
            arguments = [str(seeds), *arguments]
        words(Path(scratch) / "words")
        arguments = [f"-dict={Path(scratch) / 'words'}", "-max_len=4096", "-timeout=20", *arguments]
        atheris.Setup([sys.argv[0], *arguments], test_one_input, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
