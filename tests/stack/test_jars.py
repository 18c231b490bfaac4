"""Kafka's jars: fetched once, whole or not at all, and then never asked for again."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import jars, kafka
from stack.errors import StackError

NOTHING = jars.JarSet("nothing-1", ("org.example:nothing:1",), "")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return jars.cache_folder()


def test_once_prepared_no_network_is_needed(request: pytest.FixtureRequest) -> None:
    first = kafka.prepare_once(print)
    request.getfixturevalue("offline")
    said: list[str] = []
    assert kafka.prepare_once(said.append) == first
    assert said == []


def test_without_a_network_the_first_time_fails_in_one_clear_line(offline: None, empty_cache: Path) -> None:
    said: list[str] = []
    with pytest.raises(StackError, match=r"^nothing-1 cannot be downloaded \(is there a network\?\): .*$"):
        jars.classpath(NOTHING, said.append)
    assert said == [f"nothing-1: downloading org.example:nothing:1 into {empty_cache}/nothing-1, once"]
    assert not (empty_cache / "nothing-1").exists()


def test_a_download_that_is_not_what_it_should_be_is_refused(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(_: jars.JarSet, repository: Path, __: jars.Say) -> list[Path]:
        repository.mkdir(parents=True)
        (repository / "a.jar").write_bytes(b"half a j")
        return [repository / "a.jar"]

    monkeypatch.setattr(jars, "_resolve", cut_short)
    whole = jars.JarSet("whole", ("org.example:whole:1",), "0" * 64)
    with pytest.raises(StackError, match="the download of whole is not what it should be"):
        jars.classpath(whole, print)
    assert not (empty_cache / "whole").exists()
    found = jars.classpath(jars.JarSet("whole", whole.coordinates, ""), print)
    assert [file.read_bytes() for file in found] == [b"half a j"]
    assert jars.classpath(whole, print) == found, "what is there is not fetched again"


def test_the_digest_knows_names_and_contents_but_not_folders_or_order(tmp_path: Path) -> None:
    for folder, a, b in (("one", b"1", b"2"), ("two", b"1", b"2"), ("three", b"2", b"1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jar").write_bytes(a)
        (tmp_path / folder / "b.jar").write_bytes(b)
    one, two, three = (sorted((tmp_path / folder).iterdir()) for folder in ("one", "two", "three"))
    assert jars.digest(one) == jars.digest(two[::-1]) != jars.digest(three)


def test_the_jars_in_the_cache_are_the_ones_that_are_named() -> None:
    assert jars.digest(jars.classpath(kafka.KAFKA, print)) == kafka.KAFKA.sha256
