"""How a refused record is filed on the topic `rejected`: the same words and the same limits, whoever refuses."""

from __future__ import annotations

from schemas.codec import MAX_EVENT_BYTES, Rejected
from schemas.rows import RejectedRow

WRONG_KEY = Rejected("Expected the Kafka key to be the subject", "$.subject")
"""All events of a user meet in one worker only if the key says whose they are."""
MAX_KEY_BYTES = 1_024
"""How much of a Kafka key a refusal shows."""


def filed(
    why: Rejected,
    topic: str,
    partition: int,
    offset: int,
    received_ms: int,
    raw: bytes | None,
    key: bytes | None,
    judged_ms: int | None = None,
) -> RejectedRow:
    """The row that says what was refused. Too long bytes are cut off: the whole lies at its offset, ours must fit.

    `received_ms`: the broker's append time. `judged_ms`: what it was judged by, where that is another time.
    """
    head = None if raw is None else raw[:MAX_EVENT_BYTES]
    original_ms = None if judged_ms == received_ms else judged_ms
    cut = key and key[:MAX_KEY_BYTES]
    return RejectedRow(topic, partition, offset, received_ms, why.reason, why.path, head, cut, original_ms)
