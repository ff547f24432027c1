"""Sends the requests of a case file to a limiter through envoy-data-plane and prints one JSON line for each answer.

client.py ADDRESS CASES DOMAIN
"""

import json
import sys

import grpc
from envoy_data_plane.envoy.service.ratelimit.v3 import RateLimitRequest, RateLimitServiceSyncStub


def main(address: str, cases_path: str, domain: str) -> None:
    with open(cases_path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    with grpc.insecure_channel(address) as channel:
        stub = RateLimitServiceSyncStub(channel)
        for case in cases:
            request = RateLimitRequest.from_dict(case["request"])
            request.domain = request.domain.replace("DOMAIN", domain)
            print(json.dumps({"name": case["name"], **ask(stub, request)}), flush=True)


def ask(stub: RateLimitServiceSyncStub, request: RateLimitRequest) -> dict:
    try:
        return {"response": stub.should_rate_limit(request).to_dict()}
    except grpc.RpcError as failure:
        return {"error": {"code": failure.code().value[0], "message": failure.details()}}


if __name__ == "__main__":
    main(*sys.argv[1:])
