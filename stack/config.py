"""What a data folder's servers are called by: ports and passwords, drawn once and kept in FOLDER/stack.json (0600)."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from . import ports, process
from .errors import StackError

DATABASE = "daybook"
USER = "daybook"


@dataclass(slots=True)
class Config:
    """Ports and passwords by name; each is made when first asked for, and stays."""

    file: Path
    ports: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Config | None:
        """The folder's config; None if it has none yet."""
        file = folder / "stack.json"
        try:
            saved = json.loads(file.read_text())
            return cls(file, dict(saved["ports"]), dict(saved["passwords"]))
        except FileNotFoundError:
            return None
        except PermissionError as why:
            raise StackError(f"{file} cannot be read: it belongs to another user") from why
        except (OSError, ValueError, KeyError, TypeError) as why:
            raise StackError(f"{file} is damaged ({why}); remove the folder, or restore the file") from why

    def save(self) -> None:
        process.write_private(
            self.file, json.dumps({"ports": self.ports, "passwords": self.passwords}, indent=1) + "\n"
        )

    def port(self, name: str) -> int:
        if name not in self.ports:
            self.ports[name] = ports.choose(self.ports.values())
        return self.ports[name]

    def password(self, name: str) -> str:
        return self.passwords.setdefault(name, secrets.token_hex(16))


def mark_of(folder: Path, server: str) -> str:
    """A word for the command line of one server of one folder, by which its processes can be found again."""
    return f"daybook-{server}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
