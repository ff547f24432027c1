"""How weir is reached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import grpc

#: What a check comes to when the service gives no answer: a yes, a no, or the error.
FailurePolicy = Literal["allow", "deny", "raise"]

TIMEOUT_SECONDS = 0.05
READY_TIMEOUT_SECONDS = 5.0
RETRIES = 2
RETRY_WAIT_SECONDS = 0.005
# 24 days. From some 300 years on gRPC takes a timeout for one that is over.
_MOST_SECONDS = 2_147_483


@dataclass(frozen=True)
class Tls:
    """What is in PEM files.

    ``ca``: authorities to trust; None: those of gRPC. ``cert`` and ``key``: who calls (mTLS); both or neither.
    ``server_name``: what the service's certificate must be for, where that is not the host of the address.
    """

    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str | None = None


def open_channel(make: Any, addresses: str | Sequence[str], tls: Tls | None, watch_health: bool) -> Any:
    """A channel of ``grpc`` or of ``grpc.aio``, whichever ``make`` is."""
    target, options = _target(addresses), _options(tls, watch_health)
    if tls is None:
        return make.insecure_channel(target, options=options)
    return make.secure_channel(target, grpc.ssl_channel_credentials(tls.ca, tls.key, tls.cert), options=options)


def check_timeout(seconds: float) -> None:
    """Raises ValueError for what is no time to wait."""
    if not 0 < seconds <= _MOST_SECONDS:
        raise ValueError(f"a timeout must be more than 0 and at most {_MOST_SECONDS} seconds, and is {seconds}")


def check_policy(policy: FailurePolicy) -> None:
    """Raises ValueError for what is none: a misspelt one would deny."""
    if policy not in get_args(FailurePolicy):
        raise ValueError(f"a failure policy is allow, deny or raise, and not {policy!r}")


def _target(addresses: str | Sequence[str]) -> str:
    if isinstance(addresses, str):
        return addresses
    if not addresses:
        raise ValueError("there must be at least one address")
    return addresses[0] if len(addresses) == 1 else "ipv4:" + ",".join(addresses)


def _options(tls: Tls | None, watch_health: bool) -> list[tuple[str, Any]]:
    """No service config from DNS: it could order retries, and a hit that is sent twice may be counted twice."""
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if watch_health:
        config["healthCheckConfig"] = {"serviceName": "ratelimit"}
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]
    if tls is not None and tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options
