"""Tokens: only what the right key signed, for us, now, speaks for anybody."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api.config import Config, Limits
from api.keys import Keys, Published, Secret
from api.pacer import Pacer
from api.problems import Problem
from api.stores import Stores
from api.tokens import LEEWAY_S, ROLES, Checked, Untrusted, Who, header, issue, read
from api.who import who
from schemas.metrics import Meters

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000
GOOD = {"sub": "u_1", "role": "user", "aud": "daybook", "exp": NOW + 60}
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def signed(claims: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


def reads(token: str, now: float = NOW) -> Who:
    return read(token, SECRET, "HS256", now_s=now, audience="daybook")


@given(st.text(min_size=1, max_size=50), st.sampled_from(ROLES), st.integers(1, 10**6), st.integers(0, 2 * 10**6))
def test_a_token_speaks_for_whom_it_was_made_until_it_ends(subject: str, role: Any, lifetime: int, later: int) -> None:
    who = Who(subject, role)
    try:
        token = issue(who, SECRET, now_s=NOW, lifetime_s=lifetime)
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    if later < lifetime + LEEWAY_S:
        assert reads(token, NOW + later) == who
    else:
        with pytest.raises(Untrusted, match="expired"):
            reads(token, NOW + later)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"exp": None}, "has no exp"),
        ({"sub": None}, "has no sub"),
        ({"aud": None}, "has no aud"),
        ({"aud": "another"}, "another audience"),
        ({"role": "root"}, "no known role"),
        ({"role": ["admin"]}, "no known role"),
        ({"sub": ""}, "no subject"),
        ({"exp": "tomorrow"}, "no numbers"),
        ({"exp": True}, "no numbers"),
        ({"nbf": NOW + 3_600}, "not count yet"),
    ],
)
def test_claims_that_do_not_fit_are_refused(change: dict[str, Any], why: str) -> None:
    claims = {name: value for name, value in (GOOD | change).items() if value is not None}
    with pytest.raises(Untrusted, match=why):
        reads(signed(claims))
    assert reads(signed(GOOD)) == Who("u_1", "user")


def test_what_somebody_else_signed_or_changed_does_not_hold() -> None:
    token = signed(GOOD)
    head, body, signature = token.split(".")
    other = base64.urlsafe_b64encode(json.dumps(GOOD | {"role": "admin"}).encode()).rstrip(b"=").decode()
    unsigned = jwt.encode(GOOD, None, algorithm="none")
    for wrong in (signed(GOOD, "x" * 32), f"{head}.{other}.{signature}", f"{head}.{body}.", unsigned):
        with pytest.raises(Untrusted):
            reads(wrong)


@given(st.one_of(st.text(max_size=80), st.binary(max_size=80).map(lambda raw: raw.hex() + "." + raw.hex() + ".x")))
def test_no_text_does_worse_than_being_no_token(text: str) -> None:
    with pytest.raises(Untrusted):
        header(text)
    with pytest.raises(Untrusted):
        reads(text)


def jwks(**keys: Any) -> bytes:
    found = []
    for kid, key in keys.items():
        maker = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPublicKey) else jwt.algorithms.OKPAlgorithm
        algorithm = "RS256" if isinstance(key, rsa.RSAPublicKey) else "EdDSA"
        found.append(json.loads(maker.to_jwk(key)) | {"kid": kid, "alg": algorithm, "use": "sig"})
    return json.dumps({"keys": found}).encode()


def published(clock: Callable[[], float], answers: list[bytes | Exception]) -> Published:
    async def fetch() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Published(fetch, clock)


async def test_an_issuers_keys_are_found_by_name_and_only_for_their_algorithm() -> None:
    keys = published(lambda: 0.0, [jwks(r=RSA.public_key(), e=EDWARDS.public_key())])
    for kid, key, algorithm in (("r", RSA, "RS256"), ("e", EDWARDS, "EdDSA")):
        token = signed(GOOD, key, algorithm, kid)
        found, sure = await keys.find(*header(token))
        assert read(token, found, sure, now_s=NOW, audience="daybook") == Who("u_1", "user")
    with pytest.raises(Untrusted):
        await keys.find("EdDSA", "r")
    with pytest.raises(Untrusted):
        await keys.find("RS256", "nobody's")


async def test_a_public_key_is_no_secret() -> None:
    """Algorithm confusion (CVE-2015-9235): a token signed with HS256 and the issuer's public key as the secret."""
    keys = published(lambda: 0.0, [jwks(r=RSA.public_key())])
    for algorithm in ("HS256", "none", "RS512"):
        with pytest.raises(Untrusted):
            await keys.find(algorithm, "r")
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Untrusted):
        await Secret(SECRET).find("RS256", None)
    assert pem.startswith(b"-----BEGIN")


async def test_a_new_key_is_found_and_an_issuer_that_is_away_takes_no_key_from_us() -> None:
    now = 0.0
    answers: list[bytes | Exception] = [
        jwks(a=RSA.public_key()),
        jwks(a=RSA.public_key(), b=EDWARDS.public_key()),
        OSError("away"),
        b"no JSON",
    ]
    keys = published(lambda: now, answers)
    await keys.find("RS256", "a")
    now = 9.0
    with pytest.raises(Untrusted):
        await keys.find("EdDSA", "b")  # just read: not asked again for every name that somebody thinks up
    assert len(answers) == 3
    now = 31.0
    await keys.find("EdDSA", "b")
    now = 4_000.0
    await keys.find("RS256", "a")
    now = 8_000.0
    await keys.find("RS256", "a")
    assert answers == []


async def asked(token: str, checked: Checked, keys: Keys) -> Who:
    config = Config("", "", "", keys)
    request = Request({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())], "state": {}})
    request.state.config, request.state.checked = config, checked
    stores = Stores("redis://127.0.0.1:1/0", "", Meters())  # nobody is asked: strangers have no limit here
    request.state.pacer = Pacer(stores, Limits(stranger_requests=0), behind_proxies=False)
    return await who(request)


async def test_what_was_checked_before_still_ends_and_goes_with_its_key() -> None:
    checked, keys = Checked(most=2), Secret(SECRET)
    now = int(time.time())
    good, old = signed(GOOD | {"exp": now + 60}), signed(GOOD | {"exp": now - 60})
    for _ in range(2):
        assert await asked(good, checked, keys) == Who("u_1", "user")
        with pytest.raises(Problem, match="expired"):
            await asked(old, checked, keys)
    assert checked.get(good) is not None
    with pytest.raises(Problem, match="signature"):
        await asked(good, checked, Secret("another secret, of 32 bytes or so"))
    for number in range(2):
        await asked(signed(GOOD | {"exp": now + 61 + number}), checked, keys)
    assert checked.get(good) is None, "only the latest are remembered"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Secret("short")
