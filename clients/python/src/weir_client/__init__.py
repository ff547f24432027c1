"""Asks weir, or any Envoy rate limit service v3, whether a request may go on."""

from .answer import Answer, Limit, Status
from .channel import FailurePolicy, Tls
from .client import Pending, Weir, connect
from .errors import (
    CancelledError,
    DeadlineError,
    NotReadyError,
    OverloadedError,
    RequestError,
    ServiceError,
    UnavailableError,
    WeirError,
)
from .request import Descriptor, Entries, Override
from .unit import Unit

__all__ = [
    "Answer",
    "CancelledError",
    "DeadlineError",
    "Descriptor",
    "Entries",
    "FailurePolicy",
    "Limit",
    "NotReadyError",
    "OverloadedError",
    "Override",
    "Pending",
    "RequestError",
    "ServiceError",
    "Status",
    "Tls",
    "UnavailableError",
    "Unit",
    "Weir",
    "WeirError",
    "connect",
]
