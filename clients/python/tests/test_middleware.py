"""What callers of an application are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fastapi
import fastapi.testclient
import flask
import pytest
from conftest import free_port

import weir_client
import weir_client.aio
from weir_client.asgi import RateLimitMiddleware
from weir_client.flask import RateLimit

PATIENT: dict[str, Any] = {"timeout": 20.0, "on_failure": "raise"}


def flask_app(address: str, on_failure: Any = None) -> Iterator[Any]:
    app = flask.Flask(__name__)
    with weir_client.connect(address, **PATIENT) as weir:
        limit = RateLimit(
            weir,
            domain="shop",
            descriptors=lambda request: [] if request.path == "/free" else [{"user": request.headers["x-user"]}],
            on_failure=on_failure,
        )
        app.before_request(limit)

        @app.get("/")
        @app.get("/free")
        def hello() -> str:
            return "hello"

        yield app.test_client()


def flask_view(address: str, on_failure: Any = None) -> Iterator[Any]:
    app = flask.Flask(__name__)
    with weir_client.connect(address, **PATIENT) as weir:
        limit = RateLimit(
            lambda: weir,
            domain="shop",
            descriptors=lambda request: [{"user": "view " + request.headers["x-user"]}],
            on_failure=on_failure,
        )

        @app.get("/")
        @limit.view
        def hello() -> str:
            return "hello"

        @app.get("/free")
        def free() -> str:
            return "hello"

        yield app.test_client()


def asgi_app(address: str, on_failure: Any = None) -> Iterator[Any]:
    app = fastapi.FastAPI()
    app.add_middleware(
        RateLimitMiddleware,
        weir=weir_client.aio.connect(address, **PATIENT),
        domain="shop",
        descriptors=lambda scope: (
            [] if scope["path"] == "/free" else [{"user": "asgi " + dict(scope["headers"])[b"x-user"].decode()}]
        ),
        on_failure=on_failure,
    )

    @app.get("/", response_class=fastapi.responses.PlainTextResponse)
    @app.get("/free", response_class=fastapi.responses.PlainTextResponse)
    async def hello() -> str:
        return "hello"

    # As a context it keeps one loop for all requests.
    with fastapi.testclient.TestClient(app, raise_server_exceptions=False) as client:
        yield client


APPS = pytest.mark.parametrize("make", [flask_app, flask_view, asgi_app])


@APPS
def test_3_requests_pass_with_headers_and_the_4th_is_answered_429(shop: str, make: Any) -> None:
    for client in make(shop):
        for left in (2, 1, 0):
            passed = client.get("/", headers={"x-user": "ann"})
            assert (passed.status_code, passed.text) == (200, "hello")
            assert passed.headers["RateLimit-Remaining"] == str(left)
            assert passed.headers["RateLimit-Policy"] == '"per-user";q=3;w=31536000'
            assert "Retry-After" not in passed.headers
        refused = client.get("/", headers={"x-user": "ann"})
        assert refused.status_code == 429
        seconds = int(refused.headers["Retry-After"])
        assert 1 <= seconds <= 31_536_000
        assert refused.headers["RateLimit"] == f'"per-user";r=0;t={seconds}'
        assert refused.headers["Content-Type"] == "application/json"
        assert refused.text == (
            f'{{"error":"rate_limited","message":"Too many requests. Try again in {seconds} seconds.","limit":3,'
            f'"window_seconds":31536000,"remaining":0,"retry_after_seconds":{seconds}}}'
        )


@APPS
def test_a_request_without_descriptors_passes_without_headers(shop: str, make: Any) -> None:
    for client in make(shop):
        passed = client.get("/free")
        assert passed.status_code == 200 and "RateLimit" not in passed.headers


@APPS
@pytest.mark.parametrize(("policy", "status"), [("allow", 200), ("deny", 503), ("raise", 500)])
def test_nobody_to_ask_is_200_503_or_500(make: Any, policy: str, status: int) -> None:
    for client in make(f"127.0.0.1:{free_port()}", policy):
        answer = client.get("/", headers={"x-user": "x"})
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == ("1" if status == 503 else None)
