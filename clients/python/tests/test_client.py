"""The client for threads, on a real weir and on one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from conftest import Certificates, Fake, Services, eventually, free_port

from weir_client import (
    CancelledError,
    DeadlineError,
    Descriptor,
    Limit,
    Override,
    RequestError,
    ServiceError,
    Tls,
    UnavailableError,
    Weir,
    connect,
)
from weir_client.wire import RateLimitResponse

# Generous, since the machine may be busy; what deadlines do has a test of its own.
PATIENT = 20.0


def patient(address: str | list[str], **options: object) -> Weir:
    return connect(address, **{"timeout": PATIENT, "on_failure": "raise", **options})  # type: ignore[arg-type]


@pytest.fixture
def weir(shop: str) -> Iterator[Weir]:
    with patient(shop) as client:
        client.ready(PATIENT)
        yield client


def test_3_requests_are_allowed_and_the_4th_is_refused(weir: Weir) -> None:
    assert [(a.allowed, a.remaining) for a in (weir.check("shop", [{"user": "ann"}]) for _ in range(3))] == [
        (True, 2),
        (True, 1),
        (True, 0),
    ]
    refused = weir.check("shop", [{"user": "ann"}])
    assert (refused.allowed, refused.decided_by) == (False, "service")
    assert refused.limit == Limit(3, "year", 31_536_000, "per-user")
    seconds = refused.reset_seconds
    assert seconds is not None and 1 <= seconds <= 31_536_000
    assert refused.reset_at is not None
    assert abs(refused.reset_at - datetime.now(timezone.utc) - timedelta(seconds=seconds)) < timedelta(minutes=1)
    assert refused.headers == {
        "RateLimit-Policy": '"per-user";q=3;w=31536000',
        "RateLimit": f'"per-user";r=0;t={seconds}',
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": str(seconds),
        "Retry-After": str(seconds),
    }


def test_0_hits_charge_nothing_2_charge_2_and_1_is_taken_back(weir: Weir) -> None:
    assert [weir.check("shop", [{"user": "bob"}], hits).remaining for hits in (0, 2, 0, -1, 0)] == [3, 1, 1, 2, 2]


def test_each_descriptor_has_hits_of_its_own_and_the_fewest_left_bind(weir: Weir) -> None:
    answer = weir.check(
        "shop",
        [
            Descriptor({"user": "cid"}, hits=0),
            Descriptor([("path", "/cid")], hits=98),
            {"slow": "cid"},
            {"free": "cid"},
            {"nobody": "limits"},
        ],
    )
    assert [(s.remaining, s.limit and s.limit.window_seconds) for s in answer.statuses] == [
        (3, 31_536_000),
        (2, 31_536_000),
        (4, 63_072_000),
        (2**32 - 1, None),
        (0, None),
    ]
    assert answer.limit is not None and answer.limit.unit == "year"
    assert (
        answer.headers["RateLimit-Policy"]
        == '"per-user";q=3;w=31536000, "year";q=100;w=31536000, "slow";q=5;w=63072000'
    )


def test_a_limit_of_7_a_minute_is_brought_along(weir: Weir) -> None:
    limit = weir.check("shop", [Descriptor({"user": "eve"}, limit=Override(7, "minute"))]).limit
    assert limit is not None and (limit.requests, limit.unit) == (7, "minute")


@pytest.mark.parametrize(
    ("domain", "descriptors", "hits"),
    [
        ("", [{"user": "x"}], 1),
        ("shop", [], 1),
        ("shop", [{}], 1),
        ("shop", [{"user": "x"}], 1.5),
        ("shop", [{"user": "x"}], 2**64),
        ("shop", [{"user": 7}], 1),
        ("shop", [{"user": "\ud800"}], 1),
        ("shop", [Descriptor({"user": "x"}, limit=Override(-1, "day"))], 1),
        ("shop", [Descriptor({"user": "x"}, limit=Override(1, "eon"))], 1),  # type: ignore[arg-type]
        ("shop", [{"user": "x" * 3_000_000}], 1),
        ("shop", [{"user": "x" * 2_000_000}] * 3, 1),
    ],
)
def test_what_nobody_could_decide_is_an_error(weir: Weir, domain: str, descriptors: list[object], hits: int) -> None:
    with pytest.raises(RequestError):
        weir.check(domain, descriptors, hits, on_failure="allow")  # type: ignore[arg-type]


def test_100_checks_by_16_threads_leave_100_different_numbers(weir: Weir) -> None:
    with ThreadPoolExecutor(16) as pool:
        left = pool.map(lambda _: weir.check("shop", [{"path": "/all"}]).remaining or 0, range(100))
    assert sorted(left) == list(range(100))


def test_a_closed_client_asks_nothing(shop: str) -> None:
    closed = patient(shop)
    closed.close()
    closed.close()
    with pytest.raises(UnavailableError):
        closed.check("shop", [{"user": "x"}])
    assert isinstance(closed.start("shop", [{"user": "x"}], on_failure="allow").result().failure, UnavailableError)
    with pytest.raises(UnavailableError, match="closed"):
        closed.ready()


def test_closing_ends_what_is_under_way(fake: Fake) -> None:
    fake.answer = "silence"
    weir = patient(fake.address)
    pending = weir.start("shop", [{"user": "x"}])
    eventually("the service to be asked", lambda: len(fake.asked) == 1)
    weir.close()
    with pytest.raises(UnavailableError):
        pending.result()


def test_a_client_does_not_wait_for_nothing_or_for_ever() -> None:
    for seconds in (0, -1, 1e10, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            connect("127.0.0.1:1", timeout=seconds)


def test_there_are_3_failure_policies(weir: Weir) -> None:
    with pytest.raises(ValueError, match="failure policy"):
        connect("127.0.0.1:1", on_failure="Allow")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="failure policy"):
        weir.check("shop", [{"user": "x"}], on_failure="Allow")  # type: ignore[arg-type]


def test_a_failure_is_allowed_denied_or_raised() -> None:
    with connect(f"127.0.0.1:{free_port()}", timeout=PATIENT) as weir:
        allowed = weir.check("shop", [{"user": "x"}])
        assert (allowed.allowed, allowed.decided_by, allowed.headers) == (True, "failure_policy", {})
        assert isinstance(allowed.failure, UnavailableError)
        assert not weir.check("shop", [{"user": "x"}], on_failure="deny").allowed
        with pytest.raises(UnavailableError):
            weir.check("shop", [{"user": "x"}], on_failure="raise")


def test_nobody_waits_for_one_that_says_nothing(silence: str) -> None:
    with connect(silence, timeout=0.1, on_failure="raise") as weir:
        with pytest.raises(DeadlineError):
            weir.check("shop", [{"user": "x"}])
        with pytest.raises(UnavailableError):
            weir.ready(0.05)


def test_a_check_that_was_started_is_answered_or_cancelled(weir: Weir, fake: Fake) -> None:
    assert weir.start("shop", [{"user": "gil"}], 2).result().remaining == 1
    fake.answer = "silence"
    with connect(fake.address, timeout=60) as slow:
        pending = slow.start("shop", [{"user": "x"}])
        eventually("the service to be asked", lambda: len(fake.asked) == 1)
        pending.cancel()
        with pytest.raises(CancelledError):
            pending.result()
        assert fake.gone.wait(PATIENT)


def test_the_other_of_2_servers_is_asked_when_one_has_stopped(services: Services) -> None:
    with patient([services.start(), services.start()]) as weir:
        weir.ready(PATIENT)
        services.stop_first()
        eventually("an answer", lambda: weir.check("shop", [{"path": "/"}], 0, on_failure="deny").allowed)
        assert all(weir.check("shop", [{"path": "/"}], 0).allowed for _ in range(20))


def test_a_server_that_was_away_is_found_again(services: Services) -> None:
    port = free_port()
    with patient(f"127.0.0.1:{port}") as weir:
        with pytest.raises(UnavailableError):
            weir.check("shop", [{"user": "x"}])
        services.start(GRPC_PORT=str(port))
        weir.ready(PATIENT)
        assert weir.check("shop", [{"user": "x"}]).allowed


def test_a_server_that_does_not_serve_is_left_alone_until_it_does(fake: Fake) -> None:
    fake.set_serving(False)
    with patient(fake.address) as weir:
        with pytest.raises(UnavailableError):
            weir.check("shop", [{"user": "x"}])
        assert fake.asked == []
        fake.set_serving(True)
        weir.ready(PATIENT)
        assert weir.check("shop", [{"user": "x"}]).allowed


@pytest.mark.parametrize("fake", [False], indirect=True)
def test_a_server_without_a_health_check_is_asked(fake: Fake) -> None:
    with patient(fake.address) as weir:
        assert weir.check("shop", [{"user": "x"}]).allowed


def test_a_look_is_asked_3_times_and_a_charge_once(fake: Fake) -> None:
    fake.answer = "unavailable"
    with patient(fake.address) as weir:
        asked = 0
        for descriptors, hits, times in (
            ([{"user": "x"}], 0, 3),
            ([{"user": "x"}], 1, 1),
            ([{"user": "x"}], -1, 1),
            ([Descriptor({"user": "x"}, hits=0), {"path": "/"}], 1, 1),
        ):
            with pytest.raises(UnavailableError, match="the store is away"):
                weir.check("shop", descriptors, hits)
            asked += times
            assert len(fake.asked) == asked


@pytest.mark.parametrize(
    "answer", [{"overall_code": 0, "statuses": [{"code": 1}]}, {"overall_code": 1}, {"overall_code": 9}]
)
def test_an_answer_that_means_nothing_is_none(fake: Fake, answer: dict[str, object]) -> None:
    fake.answer = RateLimitResponse(**answer)
    with patient(fake.address) as weir:
        with pytest.raises(ServiceError):
            weir.check("shop", [{"user": "x"}])
        assert weir.check("shop", [{"user": "x"}], on_failure="allow").failure


@pytest.mark.parametrize("seconds", [315_576_000_000, 2**63 - 1])
def test_a_reset_in_10_000_years_or_later_is_one_in_292(fake: Fake, seconds: int) -> None:
    status = {
        "code": 1,
        "current_limit": {"requests_per_unit": 5, "unit": 1},
        "duration_until_reset": {"seconds": seconds, "nanos": 1},
    }
    fake.answer = RateLimitResponse(overall_code=1, statuses=[status])
    with patient(fake.address) as weir:
        answer = weir.check("shop", [{"user": "x"}])
    assert answer.headers["RateLimit"] == '"second";r=0;t=9223372036'
    assert answer.reset_at is not None and answer.reset_at > datetime.now(timezone.utc)


def test_headers_of_the_service_win(fake: Fake) -> None:
    limit = {"requests_per_unit": 5, "unit": 1, "name": 'a "b" é'}
    fake.answer = RateLimitResponse(
        overall_code=2,
        statuses=[{"code": 2, "current_limit": limit}, {"code": 2, "current_limit": limit}],
        response_headers_to_add=[{"key": "retry-after", "value": "9"}, {"key": "x-plan", "value": "free"}],
    )
    with patient(fake.address) as weir:
        assert weir.check("shop", [{"user": "x"}, {"user": "y"}]).headers == {
            "RateLimit-Policy": '"a \\"b\\" _";q=5;w=1, "a \\"b\\" _-2";q=5;w=1',
            "RateLimit": '"a \\"b\\" _";r=0, "a \\"b\\" _-2";r=0',
            "RateLimit-Limit": "5",
            "RateLimit-Remaining": "0",
            "Retry-After": "9",
            "x-plan": "free",
        }


def test_mtls_is_answered_and_without_a_certificate_is_not(services: Services, certificates: Certificates) -> None:
    address = services.start(
        GRPC_SERVER_USE_TLS="true",
        GRPC_SERVER_TLS_CERT=str(certificates.cert),
        GRPC_SERVER_TLS_KEY=str(certificates.key),
        GRPC_CLIENT_TLS_CACERT=str(certificates.ca),
    )
    ca, cert, key = (path.read_bytes() for path in (certificates.ca, certificates.cert, certificates.key))
    with patient(address, tls=Tls(ca, cert, key, server_name="weir.test")) as known:
        known.ready(PATIENT)
        assert known.check("shop", [{"user": "tls"}]).allowed
    with patient(address, tls=Tls(ca, server_name="weir.test")) as unknown, pytest.raises(UnavailableError):
        unknown.check("shop", [{"user": "tls"}])


def test_a_private_key_is_not_shown() -> None:
    assert "secret" not in repr(Tls(cert=b"cert", key=b"secret"))


def test_a_unix_socket_is_answered(services: Services, tmp_path_factory: pytest.TempPathFactory) -> None:
    with patient(services.start(GRPC_UDS=str(tmp_path_factory.mktemp("s") / "weir.sock"))) as weir:
        assert weir.check("shop", [{"user": "unix"}]).allowed
