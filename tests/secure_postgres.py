"""A database with the roles of deploy/postgres/roles.sql, made by that very script."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

from psycopg.conninfo import conninfo_to_dict

from stack.postgres import program

ROOT = Path(__file__).parents[1]


class Deployed(NamedTuple):
    """A database as it is deployed: who logs in as what."""

    owner: str
    writer: str
    reader: str
    superuser: str


def deploy(folder: Path, superuser: str) -> Deployed:
    """Run the script as the superuser; `folder` keeps the passwords."""
    passwords = {role: uuid.uuid4().hex for role in ("owner", "writer", "reader")}
    for role, password in passwords.items():
        (folder / f"postgres-{role}").write_text(password)
    script = (ROOT / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")
    (folder / "roles.sql").write_text(script.replace("/run/secrets", str(folder)))
    psql = [program("psql"), superuser, "-v", "ON_ERROR_STOP=1", "-q", "-f", folder / "roles.sql"]
    done = subprocess.run(psql, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    at = conninfo_to_dict(superuser)
    where = f"@127.0.0.1:{at['port']}/daybook"
    found = Deployed(
        **{role: f"postgresql://daybook_{role}:{password}{where}" for role, password in passwords.items()},
        superuser=superuser,
    )
    return found
