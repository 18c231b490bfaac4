"""FIT files for tests and samples, written from the protocol alone: header, definitions, messages, checksum.

The numbers of messages and fields are those of the FIT profile; a field is (number, base type, value).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

ENUM, UINT8, UINT16, UINT32, UINT32Z = 0x00, 0x02, 0x84, 0x86, 0x8C
_PACK = {ENUM: "B", UINT8: "B", UINT16: "H", UINT32: "I", UINT32Z: "I"}
_EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
Field = tuple[int, int, int]
Message = tuple[int, Sequence[Field]]

_CRC = (
    *(0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401),
    *(0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400),
)


def at(text: str) -> int:
    """Seconds since FIT's epoch of a UTC time."""
    return int((datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH).total_seconds())


def fit(messages: Iterable[Message]) -> bytes:
    """A whole file; each message is defined anew before it is written."""
    body = b"".join(_message(*message) for message in messages)
    head = struct.pack("<BBHI4s", 14, 0x20, 21171, len(body), b".FIT")
    whole = head + struct.pack("<H", crc(head)) + body
    return whole + struct.pack("<H", crc(whole))


def _message(number: int, fields: Sequence[Field]) -> bytes:
    sizes = {kind: struct.calcsize(code) for kind, code in _PACK.items()}
    definition = struct.pack("<BBBHB", 0x40, 0, 0, number, len(fields))
    definition += b"".join(struct.pack("<BBB", field, sizes[kind], kind) for field, kind, _ in fields)
    return definition + b"\0" + b"".join(struct.pack("<" + _PACK[kind], value) for _, kind, value in fields)


def crc(data: bytes) -> int:
    found = 0
    for byte in data:
        for nibble in (byte & 15, byte >> 4):
            found = ((found >> 4) & 0x0FFF) ^ _CRC[found & 15] ^ _CRC[nibble]
    return found


# ── the messages that the importer reads ──────────────────────────────────────────────────────────────────────────


def file_id(kind: int, serial: int = 4_711, product: int = 2697) -> Message:
    """`kind`: 4 activity, 9 weight, 32 monitoring. 2697 is a fēnix 5 by Garmin (1)."""
    return 0, [(0, ENUM, kind), (1, UINT16, 1), (2, UINT16, product), (3, UINT32Z, serial), (4, UINT32, 1_000_000_000)]


def creator(version: int) -> Message:
    """`version` in hundredths."""
    return 23, [(0, UINT8, 0), (5, UINT16, version)]


def activity(utc: str, local: str) -> Message:
    return 34, [(253, UINT32, at(utc)), (5, UINT32, at(local)), (1, UINT16, 1)]


def session(
    start: str,
    *,
    sport: int,
    sub_sport: int = 0,
    seconds: float,
    metres: float = 0,
    kcal: int = 0,
    rpe: int | None = None,
) -> Message:
    fields = [(2, UINT32, at(start)), (5, ENUM, sport), (6, ENUM, sub_sport), (8, UINT32, int(seconds * 1000))]
    fields += [(9, UINT32, int(metres * 100))] if metres else []
    fields += [(11, UINT16, kcal), (16, UINT8, 132), (17, UINT8, 171)]
    return 18, fields + ([(193, UINT8, rpe)] if rpe is not None else [])


def one_set(start: str, *, active: bool, reps: int = 0, kg: float = 0, category: int = 0) -> Message:
    fields = [(254, UINT32, at(start)), (0, UINT32, 30_000), (5, UINT8, int(active)), (6, UINT32, at(start))]
    return 225, fields + ([(3, UINT16, reps), (4, UINT16, int(kg * 16)), (7, UINT16, category)] if active else [])


def weight(utc: str, kg: float, fat: float | None = None, person: int | None = None) -> Message:
    fields = [(253, UINT32, at(utc)), (0, UINT16, round(kg * 100))]
    fields += [(1, UINT16, round(fat * 100))] if fat is not None else []
    return 30, fields + ([(12, UINT16, person)] if person is not None else [])


def monitoring_info(utc: str, local: str) -> Message:
    return 103, [(253, UINT32, at(utc)), (0, UINT32, at(local))]


def monitoring(utc: str, *, kind: int, steps: int | None = None, metres: float | None = None, kcal: int | None = None,
               short: bool = False) -> Message:  # fmt: skip
    """`kind`: 6 walking, 1 running, 8 sedentary. Counters since local midnight. `short`: 16 bits of the time only."""
    fields: list[Field] = [(26, UINT16, at(utc) & 0xFFFF)] if short else [(253, UINT32, at(utc))]
    fields += [(5, ENUM, kind)]
    fields += [(3, UINT32, steps)] if steps is not None else []
    fields += [(2, UINT32, int(metres * 100))] if metres is not None else []
    return 55, fields + ([(19, UINT16, kcal)] if kcal is not None else [])


def sleep_bound(utc: str, *, begins: bool) -> Message:
    return 21, [(253, UINT32, at(utc)), (0, ENUM, 74), (1, ENUM, 0 if begins else 1)]


def stage(utc: str, level: int) -> Message:
    """`level`: 1 awake, 2 light, 3 deep, 4 REM; the time is its end."""
    return 275, [(253, UINT32, at(utc)), (0, ENUM, level)]


# ── the samples of producers/imports/samples ──────────────────────────────────────────────────────────────────────

SAMPLES: dict[str, bytes] = {
    "activity.fit": fit(
        [
            file_id(4),
            creator(1230),
            session("2026-03-03T05:58:00", sport=1, seconds=1890.5, metres=5230.25, kcal=312, rpe=70),
            session("2026-03-03T06:40:00", sport=10, sub_sport=20, seconds=1500, kcal=140),
            one_set("2026-03-03T06:41:00", active=True, reps=8, kg=62.5, category=0),
            one_set("2026-03-03T06:42:00", active=False),
            one_set("2026-03-03T06:44:00", active=True, reps=6, kg=65, category=0),
            activity("2026-03-03T07:06:00", "2026-03-03T12:51:00"),
        ]
    ),
    "monitoring.fit": fit(
        [
            file_id(32),
            creator(1230),
            monitoring_info("2026-03-01T23:00:00", "2026-03-02T00:00:00"),
            monitoring("2026-03-02T07:00:00", kind=6, steps=1200, metres=900, kcal=40),
            monitoring("2026-03-02T07:30:00", kind=1, steps=2500, metres=2600, kcal=150, short=True),
            monitoring("2026-03-02T12:00:00", kind=8, short=True),
            monitoring("2026-03-02T20:00:00", kind=6, steps=6800, metres=5100, kcal=210, short=True),
            monitoring("2026-03-02T23:00:00", kind=6, steps=7000, metres=5250.5, kcal=215, short=True),
            monitoring("2026-03-03T07:00:00", kind=6, steps=800, metres=600, kcal=20, short=True),
        ]
    ),
    "weight.fit": fit([file_id(9, serial=99), weight("2026-03-02T06:10:00", 75.07, 21.5)]),
    "sleep.fit": fit(
        [
            file_id(32),
            monitoring_info("2026-03-02T23:00:00", "2026-03-03T00:00:00"),
            sleep_bound("2026-03-02T22:00:00", begins=True),
            stage("2026-03-03T00:00:00", 2),
            stage("2026-03-03T00:20:00", 1),
            stage("2026-03-03T05:30:00", 4),
            sleep_bound("2026-03-03T05:30:00", begins=False),
        ]
    ),
}
"""Name → bytes: hand-written, of nobody."""
