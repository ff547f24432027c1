"""The messages that travel: the part of Envoy's rate limit API v3 that a caller needs.

They are described here and made at run time, in a pool of their own. So nothing is generated when the package is built,
and a process that has Envoy's own protos as well does not meet two descriptions under one name.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}

# Package, message, its fields with type and number. Enums are open, so their numbers travel as int32.
_DESCRIPTOR = ".envoy.extensions.common.ratelimit.v3.RateLimitDescriptor"
_RESPONSE = ".envoy.service.ratelimit.v3.RateLimitResponse"
_MESSAGES: dict[str, dict[str, dict[str, tuple[str, int]]]] = {
    "google.protobuf": {
        "Duration": {"seconds": ("int64", 1), "nanos": ("int32", 2)},
        "UInt64Value": {"value": ("uint64", 1)},
    },
    "envoy.config.core.v3": {"HeaderValue": {"key": ("string", 1), "value": ("string", 2)}},
    "envoy.extensions.common.ratelimit.v3": {
        "RateLimitDescriptor": {
            "entries": (f"repeated {_DESCRIPTOR}.Entry", 1),
            "limit": (f"{_DESCRIPTOR}.RateLimitOverride", 2),
            "hits_addend": (".google.protobuf.UInt64Value", 3),
            "is_negative_hits": ("bool", 4),
        },
        "RateLimitDescriptor.Entry": {"key": ("string", 1), "value": ("string", 2)},
        "RateLimitDescriptor.RateLimitOverride": {"requests_per_unit": ("uint32", 1), "unit": ("int32", 2)},
    },
    "envoy.service.ratelimit.v3": {
        "RateLimitRequest": {
            "domain": ("string", 1),
            "descriptors": (f"repeated {_DESCRIPTOR}", 2),
            "hits_addend": ("uint32", 3),
        },
        "RateLimitResponse": {
            "overall_code": ("int32", 1),
            "statuses": (f"repeated {_RESPONSE}.DescriptorStatus", 2),
            "response_headers_to_add": ("repeated .envoy.config.core.v3.HeaderValue", 3),
        },
        "RateLimitResponse.RateLimit": {
            "requests_per_unit": ("uint32", 1),
            "unit": ("int32", 2),
            "name": ("string", 3),
        },
        "RateLimitResponse.DescriptorStatus": {
            "code": ("int32", 1),
            "current_limit": (f"{_RESPONSE}.RateLimit", 2),
            "limit_remaining": ("uint32", 3),
            "duration_until_reset": (".google.protobuf.Duration", 4),
        },
    },
}

SHOULD_RATE_LIMIT = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    earlier: list[str] = []
    for package, messages in _MESSAGES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"weir_client/{package}.proto", package=package, syntax="proto3", dependency=earlier
        )
        made: dict[str, descriptor_pb2.DescriptorProto] = {}
        for path, fields in messages.items():
            outer, _, name = path.rpartition(".")
            into = made[outer].nested_type if outer else file.message_type
            made[path] = message = into.add(name=name)
            for field, (kind, number) in fields.items():
                _add_field(message, field, kind, number)
        pool.Add(file)
        earlier.append(file.name)
    return pool


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, kind: str, number: int) -> None:
    plain = kind.removeprefix("repeated ")
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_OPTIONAL if plain == kind else _Field.LABEL_REPEATED
    if plain in _TYPES:
        field.type = _TYPES[plain]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, plain


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


RateLimitRequest = _message("envoy.service.ratelimit.v3.RateLimitRequest")
RateLimitResponse = _message("envoy.service.ratelimit.v3.RateLimitResponse")
