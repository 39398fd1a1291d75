"""Limits: a minute's quota, refilled evenly, for each client by itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.http.rate_limit import MAX_CLIENTS, RateLimiter
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


def test_clients_do_not_share_a_bucket(limiter):
    assert [is_refused(limiter, name, 1) for name in ("a", "b", "a")] == [None, None, "60"]


def test_ever_new_clients_fill_no_memory_and_do_not_free_the_busiest(limiter):
    for _ in range(5):
        limiter.take("busy", 5)
    for number in range(2 * MAX_CLIENTS):
        limiter.take(f"client {number}", 60)
        assert len(limiter._full_at) <= MAX_CLIENTS
    assert is_refused(limiter, "busy", 5) == "12"


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
        taken = list(threads.map(lambda _: is_refused(limiter, per_minute=500), range(1000)))
    assert taken.count(None) == 500
