"""Who takes part: how each is started, and how many events are fair to give it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bench.peers.install import FLINK_KAFKA, HERE, Say, jars, java, python_of, streams_classpath
from bench.peers.job import OUTPUT

GROUP = "bench"


@dataclass(frozen=True, slots=True)
class Peer:
    """One system under test."""

    name: str
    title: str
    folder: str
    events: int
    """Enough for some ten seconds on one core."""
    options: tuple[str, ...] = ()

    def command(self, kafka: str, topic: str, group: str, state: Path, scratch: Path, say: Say) -> list[str]:
        """What starts it: its own program, the same arguments for all (Daybook reads `meals` whatever `topic` says).
        Installs what it needs; raises Missing."""
        arguments = [kafka, topic, OUTPUT, group, str(state), *self.options]
        if self.folder == "ours":
            return [sys.executable, str(HERE / "ours" / "run.py"), *arguments]
        if self.folder == "kafka_streams":
            own = ["-Xmx2g", f"-Djava.io.tmpdir={scratch}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
            return [java(), *own, "-cp", streams_classpath(say), "Daily", *arguments]
        if self.folder == "flink":
            arguments += [str(next(p for p in jars(FLINK_KAFKA, say) if "connector" in p.name))]
        return [str(python_of(self.folder, say)), str(HERE / self.folder / "run.py"), *arguments]

    def environment(self) -> dict[str, str]:
        """What its environment has beside the caller's."""
        if self.folder == "ours":
            return {"PYTHONPATH": str(HERE.parents[1])}
        return {"JAVA_HOME": str(Path(java()).parents[1])} if self.folder == "flink" else {}


PEERS = (
    Peer("ours", "Daybook", "ours", 1_500_000),
    Peer("plain_faust", "plain Faust", "plain_faust", 16_000),
    Peer("quix", "Quix Streams", "quix", 80_000),
    Peer("bytewax", "Bytewax", "bytewax_flow", 300_000),
    Peer("kafka_streams", "Kafka Streams, at least once", "kafka_streams", 1_500_000, ("at_least_once",)),
    Peer("kafka_streams_eos", "Kafka Streams, exactly_once_v2", "kafka_streams", 1_500_000, ("exactly_once_v2",)),
    Peer("flink", "Flink SQL, mini-batches", "flink", 1_000_000),
    Peer("floor", "confluent-kafka and dicts (nothing is kept)", "floor", 1_500_000),
)
BY_NAME = {peer.name: peer for peer in PEERS}
QUICK = ("ours", "plain_faust", "quix", "kafka_streams", "kafka_streams_eos")
