"""Where the servers are and how this installation is called, read once: flags, then DAYBOOK_* variables, then files of
these names in the folder that DAYBOOK_SECRETS names, then the running stack of the data folder, then the defaults.

With the four addresses in the environment all commands but up, down and demo work on servers elsewhere, without a
folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import os
import platform
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from daybook import guard, scrub
from daybook.errors import Misuse, Problem, Refused
from schemas.broker import Broker, Mechanism, Security
from sinks.clickhouse import cluster

SERVERS = ("kafka", "postgres", "clickhouse", "redis")
SECRETS = "DAYBOOK_SECRETS"
"""Names a folder of files, as orchestrators mount secrets: DAYBOOK_POSTGRES and so on, each with one value in it. So no
password stands in an environment, which is shown more freely than files are."""
DEFAULT_FOLDER = Path(".daybook")
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Settings(BaseSettings):
    """One frozen value; every field but `data` can be set as DAYBOOK_<NAME>. Passwords never show in its repr."""

    model_config = SettingsConfigDict(env_prefix="DAYBOOK_", env_ignore_empty=True, frozen=True, extra="ignore")

    data: Path = Field(DEFAULT_FOLDER, description="Folder of the servers on this machine.")
    kafka: str | None = Field(None, description="Kafka's bootstrap servers: host:port[,host:port]")
    kafka_security: Security = Field("plaintext", description="How Kafka is spoken to: sasl_ssl where it is elsewhere.")
    kafka_user: str | None = Field(None, description="Who logs in at Kafka (SASL).")
    kafka_password: SecretStr | None = Field(None, description="And with what.")
    kafka_mechanism: Mechanism = Field("SCRAM-SHA-512", description="And how.")
    ca: Path | None = Field(
        None,
        description="File of certificates (PEM) that those of Kafka and of the stores must come from; unset: the"
        " system's.",
    )
    plaintext: bool = Field(
        False,
        description="Whether servers elsewhere may be spoken to without TLS: where the network itself is closed.",
    )
    postgres: SecretStr | None = Field(None, description="postgresql://user:password@host:port/database, the owner")
    clickhouse: SecretStr | None = Field(None, description="http://user:password@host:port/daybook")
    clickhouse_cluster: str | None = Field(
        None,
        description="Name of a ClickHouse cluster (system.clusters): tables are made on all its servers, replicated and"
        " sharded by user, and asked through Distributed ones. Set before the first `migrate`.",
    )
    redis: SecretStr | None = Field(None, description="redis://[:password@]host:port[/number]")
    partitions: int | None = Field(
        None, ge=1, le=1_000, description="Partitions of the topics that `migrate` creates, 8 unless told otherwise."
    )
    rejects_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="A streams worker stops when more than this of a partition's last events is refused.",
    )
    rejects_run: int = Field(
        1_000, ge=0, description="It stops too when so many in a row are refused; 0: never for that."
    )
    hot_days: int = Field(
        35, ge=0, description="Days whose entities a streams worker keeps; older ones are loaded when needed. 0: all."
    )
    quiet_s: int = Field(
        3_600,
        ge=0,
        description="Seconds that a user must be quiet before old entities leave; loaded ones stay as long.",
    )
    state: Literal["memory", "rocksdb"] = Field(
        "memory",
        description="Where a streams worker keeps users whom no event touches: rocksdb is below the data folder.",
    )
    standbys: int = Field(0, ge=0, description="How many other streams workers follow each partition, to take it over.")
    loads_per_s: int = Field(20_000, ge=1, description="Most old entities that one loader brings back a second.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of a worker's metrics (Prometheus); 0: a free one, which `status` names.",
    )
    metrics_address: str = Field("127.0.0.1", description="Address that the metrics are served on.")
    traces: str | None = Field(
        None,
        description="Where traces are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; unset: none are"
        " made. Needs the packages of daybook[traces].",
    )
    traces_share: float = Field(
        0.01, gt=0, le=1, description="Share of the requests to POST /v1/events of which there is a trace."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How a worker's log is written: lines for people, or a JSON object a line."
    )
    log_every_s: float = Field(
        10.0,
        ge=1,
        description="Least seconds between two lines about what a partition's chunks or a sink's batches came to; what"
        " lies between is summed up.",
    )
    stuck_after_s: float = Field(
        300.0, ge=5, description="A worker whose oldest chunk waits longer, or whose loop stands still, ends [seconds]."
    )
    canary_every_s: float = Field(
        5.0, ge=0, description="The role audit sends a canary event so often [seconds]; 0: none."
    )
    audit_users: int = Field(200, ge=1, description="How many users the role audit compares at a time.")
    audit_pause_s: float = Field(2.0, ge=0, description="How long it rests between two such ranges [seconds].")
    keep: bool = Field(
        False,
        description="Whether data is kept no longer than these settings say: the role audit looks once a day. Off,"
        " nothing is dropped unless `daybook keep` is called.",
    )
    keep_raw_days: int = Field(
        90, ge=7, description="Days that raw events, refused ones too, are kept after their receipt."
    )
    keep_views_days: int = Field(
        7,
        ge=7,
        description="Days that raw views and reactions are kept after their receipt (trending asks for a week).",
    )
    keep_daily_days: int = Field(
        730, ge=35, description="Days that a daily row is kept in PostgreSQL and ClickHouse after its last change."
    )
    keep_months_ahead: int = Field(
        2, ge=0, le=120, description="Months of daily rows whose partitions are made before they are needed."
    )
    archive: Path | None = Field(
        None, description="Folder of the archive, into which goes what is due before it is dropped; unset: nowhere."
    )
    supervise: bool = Field(True, description="Whether `up` starts a supervisor, which starts workers again that end.")
    erasure_key: SecretStr | None = Field(
        None,
        description="What names of erased users are hashed with and receipts signed, 32 bytes or more; the data"
        " folder's own if unset. It is never changed: nobody on the list could be recognised.",
    )
    backfill_lag_s: float = Field(
        5.0, gt=0, description="A backfill waits while live events are further behind than so many seconds."
    )
    backfill_postgres_ms: float = Field(
        250.0, gt=0, description="It waits too while a small commit in PostgreSQL takes longer [ms]."
    )
    trending_clock: Literal["receipt", "event"] = Field(
        "receipt",
        description="What trending takes for now: receipt, or the latest event time, for replays of the past in an"
        " installation of their own.",
    )
    worker_name: str | None = Field(
        None, description="Stable name of the workers here (static membership); its own for each machine and folder."
    )

    api_address: str = Field("127.0.0.1", description="Address that the HTTP service listens on.")
    api_port: int = Field(0, ge=0, le=65_535, description="Its port; 0: a free one, which the data folder keeps.")
    api_signing_key: SecretStr | None = Field(
        None,
        description="What bearer tokens are signed with (HS256), 32 bytes or more; the data folder's own if unset.",
    )
    api_jwks: str | None = Field(
        None, description="Address or file of an issuer's keys (JWKS: RS256, EdDSA); then no secret is used."
    )
    api_issuer: str | None = Field(None, description="The issuer that a token must name.")
    api_audience: str = Field("daybook", description="The audience that a token must name.")
    api_origins: str = Field("", description="Web origins whose pages may ask, with commas between (CORS).")
    api_open_health: bool = Field(
        True, description="Whether /readyz, /metrics and /openapi.json need no token; else an admin's."
    )
    api_body_bytes: int = Field(4 << 20, ge=1_024, description="Most bytes of one request's body, also unpacked.")
    api_events: int = Field(1_000, ge=1, description="Most events of one request.")
    api_user_requests: int = Field(600, ge=0, description="Most requests a minute with one user's tokens; 0: any.")
    api_user_events: int = Field(6_000, ge=0, description="Most events a minute with one user's tokens; 0: any.")
    api_service_requests: int = Field(0, ge=0, description="The same for one service's tokens.")
    api_service_events: int = Field(0, ge=0, description="The same for one service's tokens.")
    api_stranger_requests: int = Field(
        300, ge=0, description="Most requests a minute from one address without a token that counts; 0: any."
    )
    api_proxies: str = Field(
        "",
        description="Addresses and networks of proxies in front, with commas between: who asks is what their"
        " X-Forwarded-For says.",
    )
    api_spool_bytes: int = Field(
        0,
        ge=0,
        description="Most bytes of events that the HTTP service keeps on the disk of the data folder while Kafka is"
        " down; 0: none, it answers 503 then.",
    )
    api_room_bytes: int = Field(256 << 20, ge=1 << 20, description="Most bytes of all bodies under way.")

    @field_validator("data", "archive", "ca")
    @classmethod
    def _whole_path(cls, folder: Path | None) -> Path | None:
        return None if folder is None else folder.expanduser().resolve()

    @field_validator("api_proxies")
    @classmethod
    def _addresses(cls, proxies: str) -> str:
        for each in filter(None, map(str.strip, proxies.split(","))):
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise ValueError(f"{each} is no IP address or network, such as 10.0.0.0/8") from None
        return proxies

    @field_validator("clickhouse_cluster")
    @classmethod
    def _name_of_a_cluster(cls, name: str | None) -> str | None:
        if name is not None:
            cluster.quoted(name)
        return name

    @field_validator("worker_name")
    @classmethod
    def _fit_for_kafka(cls, name: str | None) -> str | None:
        if name is not None and not NAME.fullmatch(name):
            raise ValueError("a name has 1 to 100 letters, digits, dots, dashes or underscores")
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get(SECRETS)
        files = [SecretsSettingsSource(settings_cls, folder)] if folder else []
        return init_settings, env_settings, *files, RunningStack(settings_cls)

    def model_post_init(self, context: Any, /) -> None:
        """What is secret here shows in no line from now on."""
        told = (getattr(self, name) for name in type(self).model_fields)
        secrets = [value.get_secret_value() for value in told if isinstance(value, SecretStr)]
        scrub.hide(*(secret for each in secrets for secret in _parts(each)))

    def address(self, server: str) -> str:
        """The address of one of SERVERS, password included; Kafka's as a Broker, which knows how to log in.

        Raises Problem if nobody told it, and Refused where guard.py has an objection.
        """
        value: str | SecretStr | None = getattr(self, server)
        if value is None:
            raise Problem(
                f"no address of {server}: set DAYBOOK_{server.upper()}, or start the servers of {self.data} "
                f"with: daybook up --detach --data {self.data}"
            )
        if isinstance(value, SecretStr):
            return self._store(server, value.get_secret_value())
        return self._broker(value)

    def _store(self, server: str, url: str) -> str:
        self._refuse(server, guard.objection_to(server, url))
        if server == "clickhouse" and self.clickhouse_cluster is not None:
            url = cluster.with_settings(url)
        return url if self.ca is None else guard.with_ca(server, url, str(self.ca))

    def _broker(self, address: str) -> Broker:
        user, password = self.kafka_user or "", _secret(self.kafka_password)
        if self.kafka_security == "sasl_ssl" and not user:
            raise Misuse("DAYBOOK_KAFKA_SECURITY=sasl_ssl asks for DAYBOOK_KAFKA_USER and DAYBOOK_KAFKA_PASSWORD")
        self._refuse("kafka", guard.objection_to_kafka(address, self.kafka_security, user, password))
        how = self.kafka_mechanism
        return Broker(address, self.kafka_security, user=user, password=password, mechanism=how, ca=self.ca)

    def _refuse(self, server: str, objection: str | None) -> None:
        if objection is None or (self.plaintext and "without" in objection):
            return
        way_out = "; or, in a network that is closed itself, DAYBOOK_PLAINTEXT=1" if "without" in objection else ""
        raise Refused(f"DAYBOOK_{server.upper()} is refused: {objection}{way_out}")

    def name_of(self, role: str) -> str:
        """What the worker of this role is called in its consumer group: the same after each restart, here only."""
        return f"{role}-{self.worker_name or own_name(self.data)}"


class RunningStack(PydanticBaseSettingsSource):
    """The addresses of the servers that run in the data folder; only asked for what nobody else said."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # __call__ gives all fields at once

    def __call__(self) -> dict[str, Any]:
        said = self.current_state
        if all(said.get(server) for server in SERVERS):
            return {}
        from stack.errors import StackError
        from stack.stack import Stack

        try:
            return dataclasses.asdict(Stack(Path(said.get("data") or DEFAULT_FOLDER)).endpoints())
        except StackError:
            return {}  # nothing runs there; whoever needs an address says which one is missing


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()


def _parts(secret: str) -> list[str]:
    """What is secret in a secret: of an address the password alone."""
    if "://" not in secret:
        return [secret]
    password = urlsplit(secret).password or ""
    return [password, unquote(password)]


def own_name(folder: Path) -> str:
    """A name for this machine and folder."""
    node = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node())[:60]
    return f"{node}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"


def read(**flags: Any) -> Settings:
    """The settings of one command; flags that are None were not given. Raises Misuse for a value that cannot be."""
    folder = os.environ.get(SECRETS)
    if folder and not Path(folder).is_dir():
        raise Misuse(f"{SECRETS}: there is no folder {folder}")
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as why:
        first = why.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0])
        raise Misuse(
            f"{'--' + name if flags.get(name) is not None else 'DAYBOOK_' + name.upper()}: {first['msg']}"
        ) from None
