"""The nemesis: which fault comes when follows from a seed; whom it hits, from the seed and from who is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from faults_kinds import KINDS, Act, Busy, Scene

from producers.dice import dice

RECOVER_WITHIN_S = 90.0


@dataclass(frozen=True)
class Planned:
    """One fault of the plan."""

    at_s: float
    kind: str
    number: int


@dataclass
class Struck:
    """One fault that happened."""

    at_s: float
    kind: str
    what: str
    effect: str
    lasted_s: float
    recovery_s: float | None
    """From the end of the fault, or from the kill, until all whom it hurt have processed something new; None: nobody
    saw it, because the events were over or another fault was in the way for 90 s."""


def plan(seed: int, seconds: float, every_s: float, kinds: Sequence[str] = tuple(KINDS)) -> list[Planned]:
    """A fault every `every_s` seconds or so; every kind comes before any comes again."""
    rng, planned, deck = dice(seed, "nemesis"), [], []
    at = 1.0
    while at < seconds:
        if not deck:
            deck = sorted(kinds, key=lambda _: rng.random())
        planned.append(Planned(at, deck.pop(), len(planned)))
        at += every_s * (0.5 + rng.random())
    return planned


class Nemesis:
    """Carries a plan out."""

    def __init__(self, scene: Scene, seed: int, say: Callable[[str], None]) -> None:
        self.struck: list[Struck] = []
        self.failed: list[str] = []
        self._scene, self._seed, self._say = scene, seed, say
        self._began = time.monotonic()

    def run(self, planned: Sequence[Planned]) -> None:
        """Return when every fault is over and recovered from, or given up on."""
        threads: list[threading.Thread] = []
        for each in planned:
            time.sleep(max(0.0, self._began + each.at_s - time.monotonic()))
            thread = threading.Thread(target=self._strike, args=(each, [p.kind for p in planned[each.number + 1 :]]))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def _strike(self, planned: Planned, others: Sequence[str]) -> None:
        rng = dice(self._seed, "fault", planned.number)
        for name in dict.fromkeys([planned.kind, *others]):  # another one where the planned would hit what is down
            try:
                return self._one(name, rng)
            except Busy:
                continue
            except BaseException as why:
                self.failed.append(f"{name}: {type(why).__name__}: {why}")
                self._say(f"{self._now():6.1f} s  {name}: COULD NOT: {type(why).__name__}: {str(why)[-600:]}")
                return

    def _one(self, name: str, rng: Random) -> None:
        at = self._now()
        steps = KINDS[name](self._scene, rng)
        act = next(steps)
        began = time.monotonic()
        time.sleep(act.for_s)
        for _ in steps:
            raise AssertionError(f"{name} yields twice")
        moment = act.moment or time.time()
        lasted = time.monotonic() - began
        took = self._recovery(act, moment)
        self.struck.append(Struck(at, name, act.what, act.effect, lasted, took))
        again = "-" if took is None else f"{took:.1f} s"
        effect = f" ({act.effect})" if act.effect else ""
        self._say(f"{at:6.1f} s  {act.what}{effect}; {' and '.join(act.waits_for)} again after {again}")

    def _recovery(self, act: Act, moment: float) -> float | None:
        deadline = time.monotonic() + RECOVER_WITHIN_S
        while time.monotonic() < deadline and self._scene.feeder.running:
            watch = self._scene.watch
            took = [watch.after(who, moment) for who in act.waits_for]
            if None not in took:
                return max(t for t in took if t is not None)
            time.sleep(0.05)
        return None

    def _now(self) -> float:
        return time.monotonic() - self._began
