"""What is asked, and how it becomes a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import RequestError
from .unit import Unit, number_of
from .wire import RateLimitRequest

_MOST_32_BITS = 2**32 - 1
_MOST_64_BITS = 2**64 - 1
# What gRPC takes. Beyond, it would look like a service that has too much to do.
_MOST_BYTES = 4 * 2**20

#: Keys and values in the order of the rules.
Entries = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Override:
    """A limit that travels with the request and beats the rules."""

    requests: int
    unit: Unit


@dataclass(frozen=True)
class Descriptor:
    """Entries, with what is special about them.

    ``hits`` is how many hits this one is charged; None: those of the check. 0 only looks, a negative number gives back.
    """

    entries: Entries
    hits: int | None = None
    limit: Override | None = None


def wire_request(domain: str, descriptors: Sequence[Descriptor | Entries], hits: int) -> Any:
    """The message. Raises RequestError for what no service could decide."""
    if not domain:
        raise RequestError("the domain must not be empty")
    if not descriptors:
        raise RequestError("there must be at least one descriptor")
    _check_hits(hits)
    # The number of the whole request has no 0 and no sign, but services that are older know no other.
    for_all = 1 <= hits <= _MOST_32_BITS
    try:
        request = RateLimitRequest(domain=domain, hits_addend=hits if for_all else 0)
        for each in descriptors:
            described = each if isinstance(each, Descriptor) else Descriptor(each)
            _add_descriptor(request, described, None if for_all else hits)
    except (TypeError, ValueError) as error:
        raise RequestError(f"the request is not made of texts: {error}") from error
    if request.ByteSize() > _MOST_BYTES:
        raise RequestError(f"the request has more than {_MOST_BYTES} bytes")
    return request


def only_looks(request: Any) -> bool:
    """It charges nothing, so that asking twice is as good as asking once."""
    return all(each.HasField("hits_addend") and each.hits_addend.value == 0 for each in request.descriptors)


def _add_descriptor(request: Any, descriptor: Descriptor, hits_of_all: int | None) -> None:
    entries = descriptor.entries
    pairs = list(entries.items()) if isinstance(entries, Mapping) else list(entries)
    if not pairs:
        raise RequestError("a descriptor must have at least one entry")
    message = request.descriptors.add()
    for key, value in pairs:
        message.entries.add(key=key, value=value)
    hits = hits_of_all if descriptor.hits is None else descriptor.hits
    if hits is not None:
        _check_hits(hits)
        message.hits_addend.value = abs(hits)
        message.is_negative_hits = hits < 0
    if descriptor.limit is not None:
        _set_override(message.limit, descriptor.limit)


def _set_override(message: Any, limit: Override) -> None:
    number = number_of(limit.unit)
    if number is None:
        raise RequestError(f"unknown unit of a limit: {limit.unit}")
    if not 0 <= limit.requests <= _MOST_32_BITS:
        raise RequestError(f"a limit must be a whole number from 0 to 2^32-1, and is {limit.requests}")
    message.SetInParent()
    message.requests_per_unit, message.unit = limit.requests, number


def _check_hits(hits: int) -> None:
    if not isinstance(hits, int) or abs(hits) > _MOST_64_BITS:
        raise RequestError(f"hits must be a whole number of at most 64 bits, and are {hits!r}")
