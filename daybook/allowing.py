"""The list of who may do what (access.py), put into a running Kafka; and its users' passwords."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from daybook import access, kafka
from daybook.access import Rule
from daybook.errors import Problem

if TYPE_CHECKING:
    pass

ITERATIONS = 8_192
"""Of SCRAM: twice what Kafka asks for at least."""

Say = Callable[[str], None]


def allow(bootstrap: str, say: Say) -> int:
    """Make the list there this one: what is missing is added, what our users have beyond it is taken away.

    Returns how many rules it has. Rules of other users stay. Raises Problem.
    """
    from confluent_kafka.admin import (
        AclBindingFilter,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
        ResourceType,
    )

    client = kafka.admin(bootstrap)
    every: Any = (ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
    everything = AclBindingFilter(*every)
    found = _result(bootstrap, client.describe_acls(everything, request_timeout=kafka.TIMEOUT_S))
    ours = {_key(each): each for each in found if each.principal.startswith(f"User:{access.USER}")}
    wanted = {_key(each): each for each in map(_binding, access.rules())}
    if new := [each for key, each in wanted.items() if key not in ours]:
        for future in client.create_acls(new, request_timeout=kafka.TIMEOUT_S).values():
            _result(bootstrap, future)
    stale = [
        AclBindingFilter(
            *(each.restype, each.name, each.resource_pattern_type, each.principal, each.host),
            *(each.operation, each.permission_type),
        )
        for key, each in ours.items()
        if key not in wanted
    ]
    if stale:
        for future in client.delete_acls(stale, request_timeout=kafka.TIMEOUT_S).values():
            _result(bootstrap, future)
    say(f"Kafka at {bootstrap}: {len(wanted)} rules, {len(new)} of them new; {len(stale)} taken away")
    return len(wanted)


def set_passwords(bootstrap: str, passwords: Mapping[str, str], say: Say) -> None:
    """Make these users, or give them these passwords. Raises Problem."""
    from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

    client = kafka.admin(bootstrap)
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    asked: list[Any] = [
        UserScramCredentialUpsertion(user, how, password.encode()) for user, password in passwords.items()
    ]
    if asked:
        for future in client.alter_user_scram_credentials(asked, request_timeout=kafka.TIMEOUT_S).values():
            _result(bootstrap, future)
    say(f"Kafka at {bootstrap}: {len(asked)} users have their passwords")


def _binding(rule: Rule) -> Any:
    from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

    kinds = {
        "topic": ResourceType.TOPIC,
        "group": ResourceType.GROUP,
        "transactional-id": ResourceType.TRANSACTIONAL_ID,
        "cluster": ResourceType.BROKER,
    }
    operation = _constant(rule.operation)
    pattern = ResourcePatternType.PREFIXED if rule.prefixed else ResourcePatternType.LITERAL
    return AclBinding(
        *(kinds[rule.kind], rule.name, pattern, f"User:{rule.user}", "*"),
        *(AclOperation[operation], AclPermissionType.ALLOW),
    )


def _constant(name: str) -> str:
    """
    >>> _constant("DescribeConfigs")
    'DESCRIBE_CONFIGS'
    """
    return "".join(f"_{sign}" if sign.isupper() and at else sign for at, sign in enumerate(name)).upper()


def _key(binding: Any) -> tuple[Any, ...]:
    return (
        *(binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host),
        *(binding.operation, binding.permission_type),
    )


def _result(bootstrap: str, future: Future[Any]) -> Any:
    from confluent_kafka import KafkaException

    try:
        return future.result()
    except KafkaException as why:
        raise Problem(f"Kafka at {bootstrap} does not take it: {why.args[0].str()}") from why
