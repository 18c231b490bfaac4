"""Jars, fetched once and kept in the user's cache folder.

Resolved by jgo's resolver in pure Python, so neither Maven nor Java is needed to get them. A set of jars is checked
against its digest and moved into place whole: an interrupted or altered download is never taken for good, and
after the first time no network is needed. ``python -m stack`` does it ahead of the first start.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import StackError
from .lock import locked

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class JarSet:
    """Some Maven coordinates with everything that they need at run time."""

    name: str
    coordinates: tuple[str, ...]  # group:artifact:version
    sha256: str  # see digest(); "" takes whatever comes (to find the digest of a new version)


def cache_folder() -> Path:
    """Where this user's downloads are kept, made if need be."""
    folder = platformdirs.user_cache_path("daybook")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as why:
        raise StackError(f"the cache folder {folder} cannot be made: {why.strerror}") from why
    return folder


def classpath(jars: JarSet, say: Say) -> list[Path]:
    """The jars' files, downloaded first where the cache lacks them."""
    home = cache_folder() / jars.name
    if not home.exists():
        with locked(home.with_name(f"{home.name}.lock"), say, timeout_s=600.0):
            if not home.exists():
                _fetch(jars, home, say)
    return sorted(home.glob("*.jar"))


def digest(files: list[Path]) -> str:
    """One SHA-256 over the names and contents of all files, whatever their order."""
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda f: f.name):
        whole.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _fetch(jars: JarSet, home: Path, say: Say) -> None:
    say(f"{jars.name}: downloading {', '.join(jars.coordinates)} into {home}, once")
    staging = home.with_name(f"{home.name}.part")
    for attempts_left in (2, 1, 0):
        # Nothing of a failed attempt is used again: jgo would take a file cut short for a complete one.
        shutil.rmtree(staging, ignore_errors=True)
        try:
            files = _resolve(jars, staging / "repository", say)
            break
        except Exception as why:  # jgo lets anything through, from requests' errors to assertions
            if not attempts_left:
                raise StackError(f"{jars.name} cannot be downloaded (is there a network?): {_one_line(why)}") from why
    found = digest(files)
    if jars.sha256 and found != jars.sha256:
        raise StackError(f"the download of {jars.name} is not what it should be: {found}, not {jars.sha256}")
    whole = staging / "whole"
    whole.mkdir()
    for file in files:
        file.rename(whole / file.name)
    whole.rename(home)
    shutil.rmtree(staging, ignore_errors=True)


def _resolve(jars: JarSet, repository: Path, say: Say) -> list[Path]:
    from jgo.config import GlobalSettings  # imported here: slow, and needed once
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    logging.getLogger("jgo").setLevel(logging.ERROR)
    mirrors = GlobalSettings.load().repositories  # from the user's own jgo.conf; without one, Maven Central
    context = MavenContext(repo_cache=repository, remote_repos=mirrors or None, timeout=60)
    roots = []
    for coordinate in jars.coordinates:
        group, artifact, version = coordinate.split(":")
        roots.append(context.create_dependency(Coordinate(group, artifact, version, scope="compile", raw=True)))
    direct, transitive = context.resolver.resolve(roots)
    needed = [*direct, *(found for found in transitive if found.scope in ("compile", "runtime"))]
    files = []
    for number, dependency in enumerate(needed, start=1):
        files.append(Path(dependency.artifact.resolve()))
        if number % 10 == 0 or number == len(needed):
            say(f"{jars.name}: {number} of {len(needed)} jars")
    return files


def _one_line(why: Exception) -> str:
    text = " ".join(str(why).split()) or type(why).__name__
    return text if len(text) <= 200 else text[:200] + "…"
