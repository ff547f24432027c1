"""Units of limits. A month has 30 days, a year 365."""

from __future__ import annotations

from typing import Literal

Unit = Literal["second", "minute", "hour", "day", "week", "month", "year"]

#: By the numbers of Envoy's API: the name and the seconds.
UNITS: dict[int, tuple[Unit, int]] = {
    1: ("second", 1),
    2: ("minute", 60),
    3: ("hour", 3_600),
    4: ("day", 86_400),
    5: ("month", 2_592_000),
    6: ("year", 31_536_000),
    7: ("week", 604_800),
}


def number_of(unit: str) -> int | None:
    """The number of a unit; None when there is no such unit."""
    return next((number for number, (name, _) in UNITS.items() if name == unit), None)
