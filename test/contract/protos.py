"""Prints the real tables of the messages, enums and services named on stdin, from packages that others published.

In:  {"messages": [full name], "enums": [full name], "services": [full name]}
Out: {"xds-protos": tables, "envoy-data-plane": tables}, where tables has the same three keys and maps a full name to
     its table, or to null when the package does not have it.
"""

import importlib
import json
import re
import sys

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor

# Importing a module puts its descriptors into the pool.
import envoy.service.discovery.v3.ads_pb2  # noqa: F401
import envoy.service.ratelimit.v3.rls_pb2  # noqa: F401
import grpc_health.v1.health_pb2  # noqa: F401

POOL = descriptor_pool.Default()
TYPE_NAMES = {
    value: name[len("TYPE_"):].lower() for name, value in vars(FieldDescriptor).items() if name.startswith("TYPE_")
}


def real_message(name):
    fields = {}
    for field in POOL.FindMessageTypeByName(name).fields:
        target = field.message_type or field.enum_type
        fields[field.name] = {
            "number": field.number,
            "type": TYPE_NAMES[field.type],
            "repeated": field.is_repeated,
            "of": target.full_name if target else None,
        }
    return fields


def real_enum(name):
    return {value.name: value.number for value in POOL.FindEnumTypeByName(name).values}


def real_service(name):
    return {
        method.name: {
            "takes": method.input_type.full_name,
            "gives": method.output_type.full_name,
            "streams": [method.client_streaming, method.server_streaming],
        }
        for method in POOL.FindServiceByName(name).methods
    }


def dataclass_of(name):
    """`a.b.v3.Outer.Inner` is the class OuterInner of the module envoy_data_plane.a.b.v3."""
    package, path = re.fullmatch(r"(.+\.v\d+)\.(.+)", name).groups()
    return getattr(importlib.import_module("envoy_data_plane." + package), path.replace(".", ""))


def dataclass_message(name):
    fields = {}
    for field_name, field in dataclass_of(name).__dataclass_fields__.items():
        meta = field.metadata["betterproto"]
        fields[field_name] = {
            "number": meta.number,
            "type": meta.proto_type,
            "repeated": meta.repeated,
        }
    return fields


def dataclass_enum(name):
    return {member: value.value for member, value in dataclass_of(name).__members__.items()}


def table(read, names):
    found = {}
    for name in names:
        try:
            found[name] = read(name)
        except (KeyError, ModuleNotFoundError, AttributeError):
            found[name] = None
    return found


asked = json.load(sys.stdin)
json.dump(
    {
        "xds-protos": {
            "messages": table(real_message, asked["messages"]),
            "enums": table(real_enum, asked["enums"]),
            "services": table(real_service, asked["services"]),
        },
        "envoy-data-plane": {
            "messages": table(dataclass_message, asked["messages"]),
            "enums": table(dataclass_enum, asked["enums"]),
        },
    },
    sys.stdout,
)
