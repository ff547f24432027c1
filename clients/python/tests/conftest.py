"""A weir that the tests start, and a service that does what it is told."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from weir_client.wire import RateLimitRequest, RateLimitResponse

# `npm run build` of the project has made it, or WEIR_COMMAND names another.
COMMAND = os.environ.get("WEIR_COMMAND", f"node {Path(__file__).parents[3] / 'dist' / 'main.js'}")
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.015
RULES = """
domain: shop
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 3, name: per-user }
  - key: path
    rate_limit: { unit: year, requests_per_unit: 100 }
  - key: slow
    rate_limit: { unit: year, unit_multiplier: 2, requests_per_unit: 5 }
  - key: free
    rate_limit: { unlimited: true }
"""


def eventually(what: str, probe: Callable[[], bool]) -> None:
    """Polls until the probe is true, and fails after half a minute."""
    end = time.monotonic() + PATIENCE_SECONDS
    last: object = "not yet"
    while time.monotonic() < end:
        try:
            if probe():
                return
        except OSError as error:
            last = error
        time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"waited in vain for {what}: {last}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Services:
    """Starts weirs that count in memory, and ends them all."""

    def __init__(self, folder: Path) -> None:
        self._rules = folder / "rules.yaml"
        self._rules.write_text(RULES)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, **env: str) -> str:
        """The address of one that is ready."""
        grpc_port, http, admin = (str(free_port()) for _ in range(3))
        settings = {
            "PATH": os.environ["PATH"],
            "BACKEND_TYPE": "memory",
            "LOG_LEVEL": "error",
            "HOST": "127.0.0.1",
            "GRPC_HOST": "127.0.0.1",
            "DEBUG_HOST": "127.0.0.1",
            "PORT": http,
            "GRPC_PORT": grpc_port,
            "DEBUG_PORT": admin,
            **env,
        }
        child = subprocess.Popen([*shlex.split(COMMAND), "serve", "--rules", str(self._rules)], env=settings)
        self._running.append(child)

        def is_ready() -> bool:
            assert child.poll() is None, f"weir ended with {child.returncode}"
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/readyz") as answer:
                return bool(answer.status == 200)

        eventually("weir to be ready", is_ready)
        return f"unix:{env['GRPC_UDS']}" if "GRPC_UDS" in env else f"127.0.0.1:{settings['GRPC_PORT']}"

    def stop_first(self) -> None:
        self._end(self._running.pop(0))

    def stop(self) -> None:
        while self._running:
            self._end(self._running.pop())

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    started = Services(tmp_path)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a weir for all tests of a file: each has users of its own."""
    started = Services(tmp_path_factory.mktemp("rules"))
    yield started.start()
    started.stop()


@dataclass
class Fake:
    """``answer``: a response, or ``unavailable`` or ``silence``, which are no answers."""

    address: str = ""
    answer: object = field(default_factory=lambda: RateLimitResponse(overall_code=1, statuses=[{"code": 1}]))
    asked: list[object] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    health: health.HealthServicer | None = None

    def set_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        assert self.health is not None
        self.health.set("ratelimit", status)

    def should_rate_limit(self, request: object, context: grpc.ServicerContext) -> object:
        self.asked.append(request)
        if self.answer == "unavailable":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the store is away")
        if self.answer == "silence":
            context.add_callback(self.gone.set)
            assert self.gone.wait(PATIENCE_SECONDS)
        return self.answer


@pytest.fixture(params=[True])
def fake(request: pytest.FixtureRequest) -> Iterator[Fake]:
    """A rate limit service that does what it is told; without a health check where the parameter is False."""
    it = Fake()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    handler = grpc.unary_unary_rpc_method_handler(
        it.should_rate_limit,
        request_deserializer=RateLimitRequest.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    name = "envoy.service.ratelimit.v3.RateLimitService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"ShouldRateLimit": handler}),))
    if request.param:
        it.health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(it.health, server)
        it.set_serving(True)
    it.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield it
    it.gone.set()
    server.stop(None).wait()


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@dataclass(frozen=True)
class Certificates:
    ca: Path
    cert: Path
    key: Path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """An authority, and one certificate of it for ``weir.test`` that serves on both sides."""

    def openssl(line: str) -> None:
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)

    key = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    openssl(f"{key} -x509 -keyout ca.key -out ca.crt -subj /CN=tests -days 2")
    openssl(f"{key} -keyout own.key -out own.csr -subj /CN=weir.test -addext subjectAltName=DNS:weir.test")
    openssl("x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out own.crt -days 2 -copy_extensions copy")
    return Certificates(tmp_path / "ca.crt", tmp_path / "own.crt", tmp_path / "own.key")
