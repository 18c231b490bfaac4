"""What a workout's tail in the ledger says, whichever generation wrote it."""

from __future__ import annotations

from schemas.ledger import Lifted, lifted


def test_a_tail_of_the_first_generation_holds_estimates_alone() -> None:
    assert lifted({"Squat": 93_333}) == {"Squat": Lifted(93_333, 0, 0)}
    assert lifted({"Squat": [93_333, 80_000, 5]}) == {"Squat": Lifted(93_333, 80_000, 5)}
    assert lifted(None) == {}
