"""What an erasure leaves behind: what was found in each store before, what after, and a signature. Pure.

No name stands in it: the keyed hash alone, which nobody can turn back, and which only the installation's key can make.
"""

from __future__ import annotations

import msgspec

from schemas.suppression import Erased


class Counts(msgspec.Struct, frozen=True):
    """Rows, records or keys of one store's table that are the person's."""

    before: int
    after: int


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finished erasure."""

    subject: str
    """The keyed hash."""
    kid: str
    """Which key it was made with."""
    begun_at: str
    """RFC 3339, as the next."""
    finished_at: str
    stores: dict[str, Counts]
    """Store and table, such as postgres/user_metrics_daily."""
    kafka_until: dict[str, str]
    """Topics whose records nobody can delete singly → when the last of them is dropped by age, at the latest."""
    signature: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was left."""
        return not any(each.after for each in self.stores.values())


_order = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Receipt).decode


def signed(receipt: Receipt, erased: Erased) -> Receipt:
    """The receipt with its signature."""
    return msgspec.structs.replace(receipt, signature=erased.sign(_told(receipt)))


def is_genuine(receipt: Receipt, erased: Erased) -> bool:
    """Whether this installation's key signed exactly this."""
    from hmac import compare_digest

    return compare_digest(receipt.signature, erased.sign(_told(receipt)))


def _told(receipt: Receipt) -> bytes:
    return _order(msgspec.structs.replace(receipt, signature=""))


def encode(receipt: Receipt) -> bytes:
    """As JSON, names in the order of the alphabet."""
    return _order(receipt)


def decode(text: bytes) -> Receipt:
    """Raises msgspec.MsgspecError for what is no receipt."""
    return _decode(text)
