"""One fault at a time: events flow, the fault comes and goes, and the judge looks at what is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from faults_cluster import Cluster
from faults_feeder import Feeder, Sent
from faults_judge import judge
from faults_kinds import KINDS, Act, Busy, Kind, Scene
from faults_watch import Watch


@dataclass
class Fire:
    """A cluster, and all that was ever sent to it: the judge looks at everything each time."""

    cluster: Cluster
    sent: list[Sent] = field(default_factory=list)

    def under(self, kind: str | Kind, *, seed: int = 1, events: int = 4_000, settle_s: float = 3.0) -> Act:
        """Events flow, the fault comes and goes, all whom it hurt process again; the stores are what they must be."""
        strike = KINDS[kind] if isinstance(kind, str) else kind
        c = self.cluster
        watch = Watch(c.servers.address("kafka"), c.servers.partitions or 0)
        feeder = self.feeder(events, seconds=240)
        try:
            self._until(lambda: watch.folded > 0, 60, "no event was folded")
            time.sleep(settle_s)
            scene = Scene(c, watch, feeder)
            for attempt in range(100):
                try:
                    steps = strike(scene, Random(seed + attempt))
                    act = next(steps)
                    break
                except Busy:
                    time.sleep(0.3)
            time.sleep(act.for_s)
            list(steps)
            moment = act.moment or time.time()
            self._until(lambda: all(watch.after(r, moment) is not None for r in act.waits_for), 90, f"{act.what}: dead")
            act.recovery_s = max(watch.after(role, moment) or 0.0 for role in act.waits_for)
            print(f"\n{act.what} {act.effect}: {' and '.join(act.waits_for)} again after {act.recovery_s:.1f} s")
            self.end(feeder)
        finally:
            feeder.kill()
            watch.close()
        self.judge()
        return act

    def feeder(self, events: int, *, seconds: float) -> Feeder:
        """Events of people whom nobody has heard of before."""
        number = len(self.sent)
        log = self.cluster.folder / "logs" / "feeder.log"
        kafka = self.cluster.servers.address("kafka")
        return Feeder(kafka, events=events, seconds=seconds, seed=100 + number, log=log, prefix=f"t{number}")

    def end(self, feeder: Feeder) -> None:
        """The rest of the events, as fast as they go."""
        feeder.order("hurry")
        self.sent.append(feeder.result(120))

    def judge(self, *, live: bool = False) -> None:
        self.cluster.heal()
        self.cluster.drain(600)
        verdict = judge(self.cluster, self.sent, live=live)
        assert not self.cluster.refusals, self.cluster.refusals
        assert verdict.mismatches == 0, "\n".join(verdict.wrong)
        assert verdict.events == sum(each.counts.total() for each in self.sent)

    @staticmethod
    def _until(true: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.05)
