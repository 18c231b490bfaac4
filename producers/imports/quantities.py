"""Numbers and units as exports write them, exactly: decimals in, decimals out, rounded once at the end.

Factors are exact by definition (NIST SP 811, appendix B; a kilocalorie is 4.184 kJ, as on food labels).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d{1,9})\s*h)?\s*(?:(\d{1,9})\s*m(?:in)?)?\s*(?:(\d{1,9})\s*s(?:ec)?)?", re.ASCII | re.IGNORECASE
)
_CLOCK = re.compile(r"(\d{1,9}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)

MOST = Decimal(10**12)
"""More than this measures nothing, in whatever unit."""

KG: Mapping[str, Decimal] = {
    **{"kg": Decimal(1), "kgs": Decimal(1), "g": Decimal("0.001")},
    **{"lb": Decimal("0.45359237"), "lbs": Decimal("0.45359237"), "st": Decimal("6.35029318")},
    "oz": Decimal("0.028349523125"),
}
GRAMS: Mapping[str, Decimal] = {
    **{unit: factor * 1000 for unit, factor in KG.items()},
    **{"mg": Decimal("0.001"), "mcg": Decimal("0.000001")},
}
METRES: Mapping[str, Decimal] = {
    **{"m": Decimal(1), "meters": Decimal(1), "metres": Decimal(1), "km": Decimal(1000), "cm": Decimal("0.01")},
    **{"mi": Decimal("1609.344"), "miles": Decimal("1609.344")},
    **{"ft": Decimal("0.3048"), "yd": Decimal("0.9144"), "in": Decimal("0.0254")},
}
KCAL: Mapping[str, Decimal] = {
    **{"kcal": Decimal(1), "Cal": Decimal(1), "cal": Decimal("0.001")},
    **{"kJ": 1 / Decimal("4.184"), "J": 1 / Decimal(4184)},
}
ML: Mapping[str, Decimal] = {
    **{
        "mL": Decimal(1),
        "ml": Decimal(1),
        "cL": Decimal(10),
        "dL": Decimal(100),
        "L": Decimal(1000),
        "l": Decimal(1000),
    },
    **{"fl_oz_us": Decimal("29.5735295625"), "cup_us": Decimal("236.5882365"), "pt_us": Decimal("473.176473")},
    **{"fl_oz_imp": Decimal("28.4130625"), "cup_imp": Decimal("284.130625"), "pt_imp": Decimal("568.26125")},
}
SECONDS: Mapping[str, Decimal] = {
    **{"s": Decimal(1), "sec": Decimal(1), "min": Decimal(60), "hr": Decimal(3600), "h": Decimal(3600)},
    "ms": Decimal("0.001"),
}
COUNT: Mapping[str, Decimal] = {"count": Decimal(1)}
PERCENT: Mapping[str, Decimal] = {"%": Decimal(100)}
"""Apple writes a share and calls it %: 0.215 % is 21.5 %."""
PER_MINUTE: Mapping[str, Decimal] = {"count/min": Decimal(1), "count/s": Decimal(60)}


def number(text: str, *, grouped: bool = False) -> Decimal | None:
    """A number with a point or a comma; None where there is none. Raises ValueError for anything else.

    `grouped`: whether 1,050 is a thousand and fifty (it is about one where commas are decimal).

    >>> number("42,5"), number("1,050", grouped=True), number("1.234,5"), number(" ")
    (Decimal('42.5'), Decimal('1050'), Decimal('1234.5'), None)
    """
    clean = text if _PLAIN.fullmatch(text) else _without_grouping(text, grouped=grouped)
    if not clean:
        return None
    if not _PLAIN.fullmatch(clean) or abs(value := Decimal(clean)) > MOST:
        raise ValueError(f"Expected a number, got {text.strip()[:40]!r}")
    return value


def _without_grouping(text: str, *, grouped: bool) -> str:
    clean = text.strip().replace("\N{NO-BREAK SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "")
    if "," not in clean:
        return clean
    if "." in clean:
        point = max(".,", key=clean.rindex)
        return clean.replace("," if point == "." else ".", "").replace(",", ".")
    return clean.replace(",", "") if grouped and _GROUPED.fullmatch(clean) else clean.replace(",", ".", 1)


def measured(text: str, unit: str | None, units: Mapping[str, Decimal]) -> Decimal:
    """A number in `unit`, in the base of `units`. Raises ValueError for no number or an unknown unit.

    >>> measured("10", "lb", KG)
    Decimal('4.53592370')
    """
    value = number(text)
    if value is None:
        raise ValueError("Expected a number, got nothing")
    try:
        return value * units[unit or ""]
    except KeyError:
        raise ValueError(f"Expected a unit of {', '.join(units)}, got {unit!r}") from None


def seconds(text: str) -> int | None:
    """A duration in words or as a clock; None where there is none. Raises ValueError for anything else.

    >>> seconds("57h 3m"), seconds("47m"), seconds("1:05:30"), seconds("")
    (205380, 2820, 3930, None)
    """
    text = text.strip()
    if not text:
        return None
    if found := _CLOCK.fullmatch(text):
        first, second, third = found.groups()
        return int(first) * 3600 + int(second) * 60 + int(third or 0)
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"Expected a duration such as 1h 5m, got {text[:40]!r}")
    hours, minutes, secs = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + secs


def plain(value: Decimal, places: int = 3) -> int | float:
    """Rounded half to even, as JSON writes it best: 60, not 60.0.

    >>> plain(Decimal("61.23496995")), plain(Decimal("60.0")), plain(Decimal("2.5"), 0)
    (61.235, 60, 2)
    """
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)
