"""The list of who may do what in Kafka: each role what it says that it reads and writes, dangerous things nobody."""

from __future__ import annotations

import doctest

import pytest

from daybook import access, allowing, sinking
from daybook.access import Rule
from daybook.roles import STREAMS
from daybook.workers import KNOWN
from schemas.topics import DAILY, DEFINITIONS, LEDGER, SOURCES, SUPPRESSED, TOPICS

RULES = access.rules()
WORKERS = [access.USER + role for role in KNOWN]


def may(user: str, operation: str, topic: str) -> bool:
    return any(
        rule.user == access.USER + user
        and rule.operation == operation
        and rule.kind == "topic"
        and (topic.startswith(rule.name) if rule.prefixed else rule.name == topic)
        for rule in RULES
    )


@pytest.mark.parametrize("module", [access, allowing])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert not result.failed


def test_every_role_has_a_user_and_so_have_the_operator_and_who_looks() -> None:
    assert set(access.services()) == {*KNOWN, access.OPERATOR, access.LOOKER}
    assert {rule.user for rule in RULES} == {access.USER + name for name in access.services()}


def test_a_worker_reads_writes_and_describes_and_does_nothing_else() -> None:
    mine = [rule for rule in RULES if rule.user in WORKERS]
    assert {rule.operation for rule in mine} == {"Read", "Write", "Describe"}
    assert "cluster" not in {rule.kind for rule in mine}
    wide = {(rule.operation, rule.kind) for rule in mine if rule.name == "*"}
    assert wide == {("Describe", "topic")}, "everything is described, nothing else is everywhere"


def test_a_row_is_written_by_the_stream_that_makes_it_and_by_nobody_else() -> None:
    writers = {topic.name: [role for role in KNOWN if may(role, "Write", topic.name)] for topic in TOPICS}
    assert writers[DAILY.name] == writers[LEDGER.name] == ["streams"]
    assert writers[SUPPRESSED.name] == [], "only the operator erases"
    for source in SOURCES:
        assert set(writers[source.name]) <= {"api", "audit"}
    assert writers["progress"] == ["progress"]
    assert writers["trending"] == ["lists"]


def test_the_service_that_faces_the_network_reads_no_events_and_sinks_write_only_what_they_refuse() -> None:
    assert not [source.name for source in SOURCES if may("api", "Read", source.name)]
    read = [topic.name for topic in TOPICS if may("api", "Read", topic.name)]
    assert set(read) <= {SUPPRESSED.name, DEFINITIONS.name}, "nothing that is about a person"
    for role in sinking.groups():
        assert [topic.name for topic in TOPICS if may(role, "Write", topic.name)] == ["rejected"]


def test_the_transactions_and_state_of_a_stream_are_its_own_in_every_generation() -> None:
    for kind, operation in (("transactional-id", "Write"), ("topic", "Write")):
        held = [rule for rule in RULES if rule.kind == kind and rule.operation == operation and rule.prefixed]
        assert {rule.user for rule in held} == {access.USER + role for role in STREAMS}
        assert all(rule.name.endswith("-g") for rule in held), "without the number"
        for one in held:
            others = [other for other in held if other.user != one.user]
            assert not any(one.name.startswith(other.name) for other in others)


def test_the_rules_are_printed_as_commands_of_kafkas_own_tool() -> None:
    lines = list(access.commands("kafka:9093"))
    assert len(lines) == len(RULES)
    one = Rule("daybook-streams", "Read", "group", "daybook-daily-g", prefixed=True)
    (line,) = access.commands("kafka:9093", [one])
    assert "--allow-principal User:daybook-streams --operation Read --group 'daybook-daily-g'" in line
    assert line.endswith("--resource-pattern-type prefixed")
