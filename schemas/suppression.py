"""Who was erased and may not come back (DESIGN §8 rule 19): what the topic `suppressed` holds, and who asks it.

key    keyed hash of the subject (BLAKE2b, 16 bytes, RFC 7693), in hexadecimal
value  JSON of `Suppression`

Nobody can read a name out of it, and nobody without the installation's key can ask whether a name is there. A record is
written to every partition, because only the owner of a partition can look whom it has; partition 0 alone is the whole
list. Nothing is ever taken back: an erased subject's id is not used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256

import msgspec

HASH_BYTES = 16
MOST_PASSED = 500_000
"""Keys that are remembered as nobody's who was erased; beyond that they are looked at anew."""


class OtherKey(ValueError):
    """The list was written with another key than ours: nobody on it could be recognised."""


class Suppression(msgspec.Struct, frozen=True):
    """One erased subject."""

    kid: str
    """Which key the hash was made with, see `Erased.kid`."""
    at_ms: int
    """When it was suppressed first, by the clock of who asked for it."""


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Suppression).decode


class Erased:
    """The list, as far as it was read. Asking it costs next to nothing while it is empty."""

    __slots__ = ("_key", "_passed", "hashes")

    def __init__(self, secret: str | None = None) -> None:
        """`secret`: the installation's; None: nobody was ever erased, or `take` raises."""
        self._key = None if secret is None else sha256(secret.encode()).digest()
        self.hashes: set[bytes] = set()
        self._passed: set[bytes | None] = {None}
        """Kafka keys that were looked at and are on no list."""

    def __len__(self) -> int:
        return len(self.hashes)

    def hash_of(self, subject: bytes) -> bytes:
        """The keyed hash of a subject. Raises OtherKey if there is no key."""
        if self._key is None:
            raise OtherKey("there is no key to hash subjects with: set DAYBOOK_ERASURE_KEY")
        return blake2b(subject, key=self._key, digest_size=HASH_BYTES, person=b"daybook-erased").digest()

    @property
    def kid(self) -> str:
        """A name of the key that does not tell it. Raises OtherKey if there is none."""
        if self._key is None:
            raise OtherKey("there is no key to hash subjects with: set DAYBOOK_ERASURE_KEY")
        return blake2b(b"", key=self._key, digest_size=6, person=b"daybook-kid").hexdigest()

    def sign(self, what: bytes) -> str:
        """A signature of it (keyed BLAKE2b), in hexadecimal. Raises OtherKey if there is no key."""
        if self._key is None:
            raise OtherKey("there is no key to sign with: set DAYBOOK_ERASURE_KEY")
        return blake2b(what, key=self._key, digest_size=32, person=b"daybook-receipt").hexdigest()

    def record(self, subject: bytes, at_ms: int) -> tuple[bytes, bytes]:
        """The record that puts a subject on the list."""
        return self.hash_of(subject).hex().encode(), encode(Suppression(self.kid, at_ms))

    def take(self, key: bytes | None, value: bytes | None) -> bytes | None:
        """Take a record of the topic; returns the hash, None for a record that says nothing.

        Raises OtherKey, or ValueError for what is no such record.
        """
        if key is None or value is None:
            return None
        said = _decode(value)
        if self._key is None or said.kid != self.kid:
            have = "there is none" if self._key is None else f"ours is {self.kid}"
            raise OtherKey(
                f"erased subjects were written down with the key {said.kid}, and {have}: set DAYBOOK_ERASURE_KEY to "
                "the one that was used"
            )
        found = bytes.fromhex(key.decode())
        self.add(found)
        return found

    def add(self, hash_: bytes) -> None:
        """Put a hash on the list."""
        if hash_ not in self.hashes:
            self.hashes.add(hash_)
            self._passed = {None}

    def has(self, subject: bytes) -> bool:
        """Whether this subject was erased."""
        if not self.hashes or subject in self._passed:
            return False
        if self.hash_of(subject) in self.hashes:
            return True
        self._pass(subject)
        return False

    def among(self, keys: Sequence[bytes | None]) -> bool:
        """Whether any of these keys is an erased subject's. One look into a set a key, unless it is a new one."""
        if not self.hashes or self._passed.issuperset(keys):
            return False
        return any([self.has(key) for key in set(keys) if key is not None])

    def _pass(self, subject: bytes) -> None:
        if len(self._passed) >= MOST_PASSED:
            self._passed = {None}
        self._passed.add(subject)


def matches(erased: Erased, hashes: Iterable[bytes], subjects: Iterable[str]) -> list[str]:
    """Those of the subjects whose hashes these are, each once, in their order."""
    wanted = frozenset(hashes)
    found = dict.fromkeys(s for s in subjects if erased.hash_of(s.encode()) in wanted)
    return list(found)


class _Named(msgspec.Struct):
    subject: str = ""


_subject = msgspec.json.Decoder(_Named).decode


def says_of(raw: bytes | None) -> bytes | None:
    """The subject that bytes name, whatever else they are; None if they name none or are no JSON."""
    try:
        return _subject(raw or b"").subject.encode() or None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def named_by(key: bytes | None, raw: bytes | None) -> list[bytes]:
    """The subjects that a refused record is about: its key, and whom its bytes name."""
    return [subject for subject in (key, says_of(raw)) if subject]
