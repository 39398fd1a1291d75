"""Limits: a minute's quota, refilled evenly, for each client by itself."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient
from support.callers import replace_service

from api.http.rate_limit import MAX_CLIENTS, RateLimiter, compute_network_key, read_network_key
from api.problems import Problem


class Clock:
    """A clock that is set by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock) -> RateLimiter:
    return RateLimiter(clock)


def is_refused(limiter, client="a", per_minute=60) -> str | None:
    """What `Retry-After` says, where one more is refused."""
    try:
        limiter.take(client, per_minute)
    except Problem as problem:
        return problem.headers["Retry-After"] if problem.code == "too_many" else problem.code
    return None


@pytest.mark.parametrize("per_minute", [1, 7, 60, 6000])
def test_a_minutes_quota_may_be_taken_at_once_and_not_one_more(limiter, per_minute):
    assert not any(is_refused(limiter, per_minute=per_minute) for _ in range(per_minute))
    assert is_refused(limiter, per_minute=per_minute) == str(max(1, -(-60 // per_minute)))


def test_the_bucket_is_refilled_evenly(limiter, clock):
    for _ in range(60):
        limiter.take("a", 60)
    clock.now += 0.5
    assert is_refused(limiter) == "1"
    clock.now += 0.5
    assert is_refused(limiter) is None
    assert is_refused(limiter) == "1"
    clock.now += 10
    assert [is_refused(limiter) is None for _ in range(11)] == [True] * 10 + [False]


def test_idling_saves_no_more_than_one_quota(limiter, clock):
    limiter.take("a", 2)
    clock.now += 86_400
    assert [is_refused(limiter, per_minute=2) for _ in range(3)] == [None, None, "30"]


def test_a_refusal_takes_nothing(limiter, clock):
    limiter.take("a", 1)
    assert [is_refused(limiter, per_minute=1) for _ in range(5)] == ["60"] * 5
    clock.now += 60
    assert is_refused(limiter, per_minute=1) is None


def test_a_check_takes_nothing_and_refuses_as_taking_would(limiter):
    for _ in range(10):
        limiter.check("a", 1)
    limiter.take("a", 1)
    with pytest.raises(Problem):
        limiter.check("a", 1)


def test_what_is_left_can_be_read_and_reading_takes_nothing(limiter, clock):
    allowances = [limiter.read("a", 3)]
    for _ in range(3):
        limiter.take("a", 3)
        allowances.append(limiter.read("a", 3))
    assert allowances == [(3, 3, 0), (3, 2, 20), (3, 1, 40), (3, 0, 60)]
    clock.now += 30
    assert [limiter.read("a", 3), limiter.read("a", 3)] == [(3, 1, 30)] * 2
    limiter.charge("a", 3, 9)
    assert limiter.read("a", 3) == (3, 0, 210)


def test_a_charge_may_exceed_the_quota_and_later_checks_wait_for_it(limiter, clock):
    limiter.charge("a", 30, 45)
    assert is_refused(limiter, per_minute=30) == "32"
    clock.now += 31
    assert is_refused(limiter, per_minute=30) == "1"
    clock.now += 1
    assert is_refused(limiter, per_minute=30) is None


def test_clients_do_not_share_a_bucket(limiter):
    assert [is_refused(limiter, name, 1) for name in ("a", "b", "a")] == [None, None, "60"]


def test_ever_new_clients_fill_no_memory_and_do_not_free_the_busiest(limiter):
    for _ in range(5):
        limiter.take("busy", 5)
    for number in range(2 * MAX_CLIENTS):
        limiter.take(f"client {number}", 60)
        assert len(limiter._full_at) <= MAX_CLIENTS
    assert is_refused(limiter, "busy", 5) == "12"


def test_ten_thousand_clients_are_remembered_and_of_one_more_a_tenth_is_forgotten(limiter):
    for number in range(MAX_CLIENTS):
        limiter.take(f"client {number}", 1)
    assert len(limiter._full_at) == MAX_CLIENTS
    limiter.take("one more", 1)
    assert len(limiter._full_at) == MAX_CLIENTS + 1 - MAX_CLIENTS // 10


def test_full_buckets_are_forgotten_before_others(limiter, clock):
    for number in range(MAX_CLIENTS // 10):
        limiter.take(f"idle {number}", 60)
    clock.now += 60
    for number in range(MAX_CLIENTS - MAX_CLIENTS // 10 + 1):
        limiter.take(f"client {number}", 1)
    assert not [name for name in limiter._full_at if name.startswith("idle")]
    assert len(limiter._full_at) == MAX_CLIENTS - MAX_CLIENTS // 10 + 1


def test_threads_together_get_one_quota(limiter):
    with ThreadPoolExecutor(16) as threads:
        refusals = list(threads.map(lambda _: is_refused(limiter, per_minute=500), range(1000)))
    assert refusals.count(None) == 500


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.2", "192.0.2.2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("2001:db8:1:1:ffff:ffff:ffff:ffff", "2001:db8:1:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_limit_counts_an_ipv4_address_and_the_64_network_of_an_ipv6_address(address, network):
    assert compute_network_key(address) == network


def test_requests_without_an_address_share_one_network():
    assert read_network_key(SimpleNamespace(client=None)) == "unknown"
    client = SimpleNamespace(host="192.0.2.1")
    assert read_network_key(SimpleNamespace(client=client)) == "192.0.2.1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v1/reports/verify/{'0' * 64}"),
        ("POST", "/v1/oauth/token"),
        ("GET", "/intake/wrong"),
        ("GET", "/invitation/wrong"),
    ],
)
def test_every_limit_by_address_counts_the_same_network(kept_service, method, path):
    limiter = RateLimiter(lambda: 0.0)
    replace_service(kept_service, rate_limiter=limiter)
    form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "wrong"}
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6"):
        client = TestClient(kept_service, client=(address, 50000))
        client.request(method, path, data=form if method == "POST" else None)
    words = [word for key in limiter._full_at for word in key.split(" ")]
    assert {word for word in words if ":" in word} == {"2001:db8:1:2::/64"}
