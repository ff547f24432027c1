"""The messages that travel, beside the .proto files of the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from weir_client import wire

SERVICE = "envoy.service.ratelimit.v3.RateLimitService"
PROTO = Path(__file__).parents[3] / "proto"
REQUEST = """
domain: "shop" hits_addend: 4294967295
descriptors {
  entries { key: "user" value: "ann" } limit { requests_per_unit: 7 unit: %s }
  hits_addend { value: 18446744073709551615 } is_negative_hits: true
}
"""
RESPONSE = """
overall_code: %s response_headers_to_add { key: "a" value: "b" }
statuses {
  code: %s current_limit { requests_per_unit: 3 unit: %s name: "x" }
  limit_remaining: 1 duration_until_reset { seconds: 86400 nanos: 5 }
}
"""


def test_the_messages_are_those_of_the_proto_files(tmp_path: Path) -> None:
    out = tmp_path / "all.binpb"
    file = "envoy/service/ratelimit/v3/rls.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", "--include_imports"]
    subprocess.run([*command, f"--descriptor_set_out={out}", file], check=True)
    pool = descriptor_pool.DescriptorPool()
    for each in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        pool.Add(each)
    for mine, text, words, numbers in (
        (wire.RateLimitRequest, REQUEST, ("YEAR",), (6,)),
        (wire.RateLimitResponse, RESPONSE, ("OVER_LIMIT", "OVER_LIMIT", "WEEK"), (2, 2, 7)),
    ):
        theirs = message_factory.GetMessageClass(pool.FindMessageTypeByName(mine.DESCRIPTOR.full_name))
        written = text_format.Parse(text % words, theirs()).SerializeToString(deterministic=True)
        assert text_format.Parse(text % numbers, mine()).SerializeToString(deterministic=True) == written
        assert mine.FromString(written).SerializeToString(deterministic=True) == written
    assert wire.SHOULD_RATE_LIMIT == f"/{pool.FindServiceByName(SERVICE).full_name}/ShouldRateLimit"
