"""No password that anybody tries, no talk in the open, no secret in a line, no client of Kafka that forgets it."""

from __future__ import annotations

import ast
import doctest
import io
import logging
import os
import sys
from pathlib import Path

import pytest

from daybook import cli, guard, scrub, settings
from daybook.errors import Misuse, Problem, Refused
from schemas import broker
from schemas.broker import Broker

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "daybook", "producers", "schemas", "sinks", "streams")
CLIENTS = {"AIOKafkaConsumer", "AIOKafkaProducer", "Consumer", "Producer", "AdminClient", "AIOKafkaAdminClient"}
LOGIN = Broker("kafka:9093", "sasl_ssl", user="daybook-streams", password="a-drawn-one", ca=None)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scrub, "_secrets", set())


@pytest.mark.parametrize("module", [guard, scrub])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert not result.failed


# -- Kafka's clients


def made_here(source: str) -> list[tuple[str, str]]:
    """Client and the text of its first argument, of every client of Kafka that a module makes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CLIENTS and (node.args or node.keywords):
                found.append((name, ast.unparse(node)))
    return found


def test_every_client_of_kafka_takes_its_login_from_one_place() -> None:
    made = {
        (path.relative_to(ROOT), name, told)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name, told in made_here(path.read_text(encoding="utf-8"))
    }
    assert len(made) >= 15
    assert [each for each in made if "**broker." not in each[2]] == []
    assert made_here('Producer({"bootstrap.servers": kafka})'), "it would notice"


def test_an_address_says_no_password_and_each_library_is_told_the_login_in_its_own_words() -> None:
    assert f"Kafka at {LOGIN}" == "Kafka at kafka:9093"
    assert "drawn" not in repr(LOGIN)
    told = broker.librdkafka(LOGIN)
    assert (told["security.protocol"], told["sasl.mechanism"]) == ("sasl_ssl", "SCRAM-SHA-512")
    assert told["sasl.password"] == broker.aiokafka(LOGIN)["sasl_plain_password"] == "a-drawn-one"
    context = broker.aiokafka(LOGIN)["ssl_context"]
    assert context.check_hostname, "a certificate counts for the host that it names"
    assert broker.librdkafka("kafka:9092") == {"bootstrap.servers": "kafka:9092"}
    assert broker.aiokafka("kafka:9092") == {"bootstrap_servers": "kafka:9092"}


def test_what_librdkafka_hears_of_the_login_is_the_reason_that_is_told() -> None:
    from confluent_kafka import KafkaError

    who = Broker("kafka:9093", "sasl_ssl", user="me", password="a-drawn-one")
    who.told(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert broker.why(who, "no answer") == "no answer"
    who.told(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error: invalid credentials"))
    assert "invalid credentials" in broker.why(who, "no answer")


# -- what is refused at start


@pytest.mark.parametrize(
    ("server", "address", "why"),
    [
        ("postgres", "postgresql://daybook:daybook@127.0.0.1/daybook", "anybody tries first"),
        ("postgres", "postgresql://me:me@127.0.0.1/daybook", "anybody tries first"),
        ("postgres", "postgresql://me@127.0.0.1/daybook", "no password"),
        ("postgres", "postgresql://me:a-drawn-one@pg/daybook", "without verified TLS"),
        ("postgres", "postgresql://me:a-drawn-one@pg/daybook?sslmode=require", "without verified TLS"),
        ("clickhouse", "http://default@127.0.0.1:8123/daybook", "no password"),
        ("clickhouse", "https://me:ClickHouse@ch:8443/daybook", "anybody tries first"),
        ("clickhouse", "http://me:a-drawn-one@ch:8123/daybook", "without TLS"),
        ("redis", "redis://127.0.0.1:6379/0", "no password"),
        ("redis", "redis://:a-drawn-one@cache:6379/0", "without TLS"),
        ("kafka", "127.0.0.1:9092,kafka:9092", "without TLS"),
    ],
)
def test_a_default_password_and_a_server_elsewhere_without_tls_are_refused(
    server: str, address: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DAYBOOK_{server.upper()}", address)
    with pytest.raises(Refused, match=rf"DAYBOOK_{server.upper()} is refused: .*{why}") as refused:
        settings.read().address(server)
    assert "a-drawn-one" not in str(refused.value)
    assert refused.value.exit_code == 78
    monkeypatch.setenv("DAYBOOK_PLAINTEXT", "1")
    if "without" in why:
        assert settings.read().address(server) == address
    else:
        with pytest.raises(Refused):
            settings.read().address(server)


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("postgres", "postgresql://me:a-drawn-one@pg/daybook?sslmode=verify-full"),
        ("postgres", "postgresql:///daybook?host=/run/postgresql"),
        ("postgres", "postgresql://me@pg/daybook?sslmode=verify-full&sslcert=/run/me.pem"),
        ("clickhouse", "https://me:a-drawn-one@ch:8443/daybook"),
        ("redis", "rediss://:a-drawn-one@cache:6379/0"),
        ("kafka", "127.0.0.1:9092"),
    ],
)
def test_what_is_closed_is_taken(server: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"DAYBOOK_{server.upper()}", address)
    assert settings.read().address(server) == address


def test_kafka_with_a_login_needs_both_parts_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_KAFKA", "kafka:9093")
    monkeypatch.setenv("DAYBOOK_KAFKA_SECURITY", "sasl_ssl")
    with pytest.raises(Misuse, match="DAYBOOK_KAFKA_USER"):
        settings.read().address("kafka")
    monkeypatch.setenv("DAYBOOK_KAFKA_USER", "daybook-streams")
    with pytest.raises(Refused, match="no password"):
        settings.read().address("kafka")
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD", "a-drawn-one")
    found = settings.read().address("kafka")
    assert isinstance(found, Broker)
    assert (found, found.user, found.password) == ("kafka:9093", "daybook-streams", "a-drawn-one")


def test_one_file_of_certificates_is_for_all_that_speak_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    told = {
        "DAYBOOK_CA": str(ca),
        "DAYBOOK_KAFKA": "kafka:9093",
        "DAYBOOK_KAFKA_SECURITY": "ssl",
        "DAYBOOK_POSTGRES": "postgresql://me:a-drawn-one@pg/daybook?sslmode=verify-full",
        "DAYBOOK_CLICKHOUSE": "https://me:a-drawn-one@ch:8443/daybook",
        "DAYBOOK_REDIS": "rediss://:a-drawn-one@cache:6379/0?ssl_ca_certs=/own.pem",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    found = settings.read()
    assert found.address("postgres").endswith(f"?sslmode=verify-full&sslrootcert={ca}")
    assert found.address("clickhouse").endswith(f"/daybook?ca_cert={ca}")
    assert found.address("redis") == told["DAYBOOK_REDIS"], "what an address says itself goes first"
    kafka = found.address("kafka")
    assert isinstance(kafka, Broker)
    assert broker.librdkafka(kafka)["ssl.ca.location"] == str(ca)


# -- what is said


def test_lines_stack_traces_and_errors_say_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAYBOOK_POSTGRES", "postgresql://me:p%40ss-w0rd@127.0.0.1:1/daybook")
    monkeypatch.setenv("DAYBOOK_API_SIGNING_KEY", "k" * 40)
    settings.read()
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(scrub.Scrubbing(scrub.FORMAT))
    log = logging.getLogger("test_secrets")
    log.addHandler(handler)
    try:
        raise OSError(f"bad login p@ss-w0rd, key {'k' * 40}, at redis://:other@h/0, password=hunter2")
    except OSError as why:
        log.exception("it ends: %s", why)
        scrub._dying(type(why), why, why.__traceback__)
    finally:
        log.removeHandler(handler)
    for text in (said.getvalue(), capsys.readouterr().err):
        assert "Traceback" in text
        assert "redis://:***@h/0" in text
        for secret in ("p@ss-w0rd", "p%40ss-w0rd", "k" * 40, "other", "hunter2"):
            assert secret not in text


def test_a_command_that_fails_says_no_secret_and_env_gives_no_password_of_servers_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    addresses = {
        "DAYBOOK_KAFKA": "127.0.0.1:1",
        "DAYBOOK_POSTGRES": "postgresql://me:tie-knot@127.0.0.1:1/daybook",
        "DAYBOOK_CLICKHOUSE": "http://me:tie-knot@127.0.0.1:1/daybook",
        "DAYBOOK_REDIS": "redis://:tie-knot@127.0.0.1:1/0",
    }
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
    assert cli.run(["env"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines() == [f"{n}={v.replace('tie-knot', '***')}" for n, v in addresses.items()]
    assert cli.run(["rejected", "list"]) == 1
    assert "tie-knot" not in capsys.readouterr().err
    monkeypatch.setenv("DAYBOOK_POSTGRES", "postgresql://me:tie-knot@127.0.0.1:port/daybook")
    assert cli.run(["rejected", "list"]) != 0
    assert "tie-knot" not in capsys.readouterr().err


def test_what_stands_in_a_process_list_is_no_secret() -> None:
    from daybook import supervisor, workers
    from stack.config import Config

    found = settings.Settings(
        kafka="127.0.0.1:1",
        postgres="postgresql://me:tie-knot@127.0.0.1:1/daybook",
        clickhouse="http://me:tie-knot@127.0.0.1:1/daybook",
        redis="redis://:tie-knot@127.0.0.1:1/0",
    )
    spec = workers.spec(Path("data"), "streams", found)
    assert "tie-knot" not in " ".join(map(str, spec.argv))
    assert any("tie-knot" in value for value in spec.env.values()), "the environment of a process is its user's alone"
    assert supervisor.NAME
    assert Config
    assert sys.executable in spec.argv
    with pytest.raises(Problem):
        settings.read(data=Path("nowhere")).address("redis")
