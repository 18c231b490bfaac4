"""The OWASP API Security Top 10 (2023), one test each, against the running service: owasp.org/API-Security."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import jwt
import pytest
from api_rig import SECRET, Service, meal, service, token, topics_made
from conftest import RunningStack
from cryptography.hazmat.primitives.asymmetric import rsa
from sink_kit import make, row

from api.config import Limits
from api.openapi import document
from sinks.batch import Batch
from stack.stack import Endpoints

DAY = "2026-03-31"
OWN = ("today", f"days?to={DAY}", "progress", "streaks", "records", "recommendations", f"explain?date={DAY}", "data")
"""What is one user's alone."""


@pytest.fixture(scope="module")
def at(stack: RunningStack) -> Endpoints:
    """The servers that tests share; what is looked for here has names of its own."""
    topics_made(stack.endpoints.kafka)
    asyncio.run(_fill(stack.endpoints))
    return stack.endpoints


async def _fill(at: Endpoints) -> None:
    sink = make("redis", at).sink
    await sink.open()
    await sink.write(Batch(daily=[row("u_a", 1, DAY, energy_kcal=2_000.5), row("u_b", 1, DAY, energy_kcal=3_000.5)]))
    await sink.close()


@pytest.fixture(scope="module")
def api(at: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    told = {"redis": at.redis, "api_user_events": 50, "api_events": 40, "api_body_bytes": 65_536}
    with service(tmp_path_factory.mktemp("owasp"), at.kafka, **told) as found:
        yield found


async def ask(
    api: Service, path: str, who: str | None, method: str = "GET", **headers: str
) -> tuple[int, str, Mapping[str, str]]:
    said = {} if who is None else {"Authorization": f"Bearer {who}"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with api.session() as session, session.request(method, path, headers=said) as answer:
        return answer.status, await answer.text(), answer.headers.copy()


async def test_api1_broken_object_level_authorization(api: Service) -> None:
    """Nobody reads or writes another's, and cannot tell whether there is such a user."""
    mine = token("u_a")
    status, said, _ = await ask(api, f"/v1/users/u_a/days?from={DAY}&to={DAY}", mine)
    assert (status, json.loads(said)["days"][0]["metrics"]["energy_kcal"]) == (200, 2_000.5)
    for what in OWN:
        there = await ask(api, f"/v1/users/u_b/{what}", mine, X_Request_Id="1")
        nobody = await ask(api, f"/v1/users/u_nobody/{what}", mine, X_Request_Id="1")
        assert there[:2] == nobody[:2]
        assert there[0] == 403, what
        assert "3000" not in there[1]
    for around in ("u_a/../u_b", "u_a%2F..%2Fu_b", "./u_b", "u_b%00", "U_A", "u_a%20"):
        assert (await ask(api, f"/v1/users/{around}/days?to={DAY}", mine))[0] in (403, 404), around
    assert (await ask(api, "/v1/stream?user=u_b", mine))[0] == 403
    assert (await ask(api, "/v1/stream?user=u_a&user=u_b", mine))[0] == 403
    status, answer, _ = await api.send([meal("u_a"), meal("u_b")], token=mine)
    assert [each["status"] for each in answer["results"]] == ["accepted", "refused"]


async def test_api2_broken_authentication(api: Service) -> None:
    """Nothing but a token that this service trusts, now, counts; and all others are refused alike."""
    good = {"sub": "u_a", "role": "user", "aud": "daybook", "exp": int(time.time()) + 600}
    head, _, signature = jwt.encode(good, SECRET, "HS256").split(".")
    admin = base64.urlsafe_b64encode(json.dumps(good | {"role": "admin"}).encode()).rstrip(b"=").decode()
    pem = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    bad = {
        "none": None,
        "empty": "",
        "unsigned": jwt.encode(good, None, "none"),
        "another's": jwt.encode(good, "x" * 32, "HS256"),
        "another algorithm": jwt.encode(good, SECRET * 2, "HS512"),
        "a public key's": jwt.encode(good, pem, "RS256"),
        "changed": f"{head}.{admin}.{signature}",
        "old": jwt.encode(good | {"exp": int(time.time()) - 3_600}, SECRET, "HS256"),
        "without end": jwt.encode({k: v for k, v in good.items() if k != "exp"}, SECRET, "HS256"),
        "for others": jwt.encode(good | {"aud": "else"}, SECRET, "HS256"),
        "of no known role": jwt.encode(good | {"role": "root"}, SECRET, "HS256"),
        "long": "a" * 9_000,
    }
    for what, sent in bad.items():
        status, said, headers = await ask(api, "/v1/users/u_a/progress", sent)
        assert status in (401, 400) if what == "long" else status == 401, what
        assert headers.get("WWW-Authenticate", "Bearer").startswith("Bearer")
        assert SECRET not in said
    assert (await ask(api, f"/v1/users/u_a/days?to={DAY}&token={token('u_a')}", None))[0] == 401, "not in an address"


async def test_api3_broken_object_property_level_authorization(api: Service) -> None:
    """What is written beside the known names changes nothing, and only known columns are read."""
    twice = json.dumps(meal("u_a")).replace('"subject": "u_a"', '"subject": "u_b", "subject": "u_a"').encode()
    _, said, _ = await api.send(twice, token=token("u_a"))
    assert said["results"][0]["reason"] == "this name stands there twice"
    more = meal("u_a", role="admin", version=9**15, generation=9, partition=0)
    _, said, _ = await api.send(more, token=token("u_a"))
    assert said["accepted"] == 1
    assert (await ask(api, "/v1/operator", token("u_a")))[0] == 403
    for fields in ("user_id", "password", "energy_kcal,__class__", "*"):
        status, _, _ = await ask(api, f"/v1/users/u_a/today?fields={fields}", token("u_a"))
        assert status == 400, fields


async def test_api4_unrestricted_resource_consumption(api: Service) -> None:
    """Bodies, events, depths, pages and names have an end."""
    who = token("u_much")
    bomb = gzip.compress(b" " * 50_000_000)
    deep = json.dumps(meal("u_much"))[:-1].encode() + b',"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    for body, headers, want in (
        (bomb, {"Content_Encoding": "gzip"}, 413),
        (b"[" + b"{}," * 40 + b"{}]", {}, 413),
        (b" " * 70_000, {}, 413),
    ):
        assert (await api.send(body, token=who, **headers))[0] == want
    assert (await api.send(deep, token=who))[1]["refused"] == 1
    for query in ("limit=101", "limit=0", "limit=-1", "limit=1e9", "from=0001-01-01&limit=9999999999"):
        assert (await ask(api, f"/v1/users/u_much/days?{query}", who))[0] == 400, query
    assert (await ask(api, "/v1/trending/videos?limit=101", who))[0] == 400
    assert (await ask(api, f"/v1/users/{'u' * 2_000}/progress", token("s", "service")))[0] == 404


async def test_api5_broken_function_level_authorization(api: Service) -> None:
    """What operators see is for admins, by whatever method and name it is asked."""
    for role in ("user", "service"):
        who = token("u_a", role)  # type: ignore[arg-type]
        for path in ("/v1/operator", "/v1/operator?role=admin"):
            assert (await ask(api, path, who, X_Role="admin", X_Original_URL="/healthz"))[0] == 403
            # The stores that would be looked into are away here, which would be another answer: nothing is looked up.
            said = [
                await ask(api, f"/v1/users/{user}/{what}", who, method, X_Request_Id="1")
                for user in ("u_a", "u_b", "u_nobody", "u%00")
                for method, what in (("DELETE", "data"), ("GET", "erasure"))
            ]
            assert {each[:2] for each in said} == {said[0][:2]}
            assert said[0][0] == 403
            assert all("Location" not in each[2] for each in said)
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        for path in ("/v1/operator", "/v1/users/u_a/days", "/healthz"):
            status, _, _ = await ask(api, path, token("op", "admin"), method, X_HTTP_Method_Override="GET")
            assert status == 405, (method, path)


async def test_api6_unrestricted_access_to_sensitive_business_flows(api: Service) -> None:
    """One user cannot flood the streams, with however many tokens; and the same again is no second time."""
    event = meal("u_flood")
    _, said, _ = await api.send([event] * 10, token=token("u_flood"))
    assert (said["accepted"], said["duplicate"]) == (1, 9)
    seen = []
    for number in range(4):
        status, _, headers = await api.send(
            [meal("u_flood") for _ in range(30)], token=token("u_flood", lifetime_s=600 + number)
        )
        seen.append(status)
    assert seen[0] == 202
    assert seen[1:] == [429] * 3
    assert 0 < int(headers["Retry-After"]) <= 120
    assert (await api.send(meal("u_calm"), token=token("u_calm")))[0] == 202


async def test_api7_server_side_request_forgery(api: Service) -> None:
    """No address in a token or an event is ever asked."""
    asked: list[str] = []

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("somebody came")
        writer.close()

    trap = await asyncio.start_server(heard, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/"
    claims = {"sub": "u_a", "aud": "daybook", "iss": address, "exp": int(time.time()) + 600}
    for name in ("jku", "x5u"):
        lured = jwt.encode(claims, SECRET, "HS256", headers={name: address, "kid": address})
        await ask(api, f"/v1/users/u_a/days?from={DAY}&to={DAY}", lured)
        await api.send(meal("u_a", source=address, dataschema=address), token=lured)
    await ask(api, f"/v1/users/u_a/days?from={DAY}&to={DAY}", token("u_a"), X_Forwarded_Host=address, Referer=address)
    await asyncio.sleep(0.3)
    trap.close()
    assert asked == []


async def test_api8_security_misconfiguration(api: Service) -> None:
    """Careful headers on every answer, errors too; nothing about the machine; no origin is let in unasked."""
    for path, who in (("/", None), ("/healthz", None), ("/nowhere", None), ("/v1/users/u_a/progress", None)):
        _, said, headers = await ask(api, path, who, Origin="https://evil.example")
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"]
        assert not {"Server", "X-Powered-By", "Access-Control-Allow-Origin", "Set-Cookie"} & headers.keys()
        assert "Traceback" not in said
    for broken in (b"\xff\xfe", b'{"a":', b"[1e999]", b'{"specversion":"1.0","data":null}'):
        status, answer, _ = await api.send(broken, token=token("u_a"))
        assert status in (202, 400)
        assert "Traceback" not in json.dumps(answer)
    log = api.log.read_text()
    assert "Traceback" not in log
    assert not any(secret in log for secret in (SECRET, "Bearer ", token("u_a").split(".")[2]))


async def test_api9_improper_inventory_management(api: Service) -> None:
    """What is described is all that there is: no old version, no debug door, no file beside the page's own."""
    status, said, _ = await ask(api, "/openapi.json", None)
    assert (status, json.loads(said)) == (200, document(Limits(events=40, body_bytes=65_536, user_events=50)))
    hidden = (
        "/v0/events",
        "/v2/events",
        "/docs",
        "/redoc",
        "/debug",
        "/admin",
        "/.env",
        "/.git/config",
        "/server-status",
    )
    for path in (*hidden, "/page/../service.py", "/page/%2e%2e/keys.py", "/page//etc/passwd", "/v1/users/u_a", "/v1"):
        assert (await ask(api, path, token("op", "admin")))[0] == 404, path


async def test_api10_unsafe_consumption_of_apis(at: Endpoints, tmp_path: Path) -> None:
    """An issuer that answers nonsense, too much, or leads elsewhere makes nobody trusted and nothing fall."""
    answers = [b'{"keys":[{"kty":"oct","k":"%s","kid":"k","alg":"HS256"}]}' % (b"c2VjcmV0" * 8) + b" " * 300_000, b""]
    elsewhere = 0

    async def issuer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal elsewhere
        head = await reader.readuntil(b"\r\n\r\n")
        elsewhere += b"/elsewhere" in head
        body = answers.pop(0) if answers else b""
        status = b"200 OK" if body else b"302 Found\r\nLocation: /elsewhere"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(issuer, "127.0.0.1", 0)
    jwks = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    pem = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    claims = {"sub": "u_a", "aud": "daybook", "exp": int(time.time()) + 600}
    lured = [
        jwt.encode(claims, pem, "RS256", headers={"kid": "k"}),
        jwt.encode(claims, base64.b64decode("c2VjcmV0" * 8), "HS256", headers={"kid": "k"}),
        token("u_a"),
    ]
    for number in range(len(answers)):
        with service(tmp_path / str(number), "127.0.0.1:1", api_jwks=jwks, redis=at.redis) as trusting:
            for each in lured:
                assert (await ask(trusting, "/v1/users/u_a/progress", each))[0] == 401
            assert (await ask(trusting, "/healthz", None))[0] == 200
    server.close()
    assert (answers, elsewhere) == ([], 0)
