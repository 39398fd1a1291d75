"""The circuit breaker: one attempt at a time for each host, and a rest after each failure."""

import pytest

from api.outbound.circuit_breaker import (
    FIRST_REST_SECONDS,
    MAX_REST_SECONDS,
    CircuitBreaker,
    HostUnavailableError,
)


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(lambda: clock[0])


def fail(breaker, host="a"):
    with breaker.enter(host) as attempt:
        attempt.fail()


def test_a_host_has_one_attempt_at_a_time_and_others_go_on(breaker):
    with (
        breaker.enter("a"),
        breaker.enter("b"),
        pytest.raises(HostUnavailableError),
        breaker.enter("a"),
    ):
        pass
    with breaker.enter("a"):
        pass


def test_a_host_rests_after_each_failure_in_a_row_twice_as_long(breaker, clock):
    rest_seconds = FIRST_REST_SECONDS
    for _ in range(8):
        fail(breaker)
        clock[0] += rest_seconds - 1
        with pytest.raises(HostUnavailableError), breaker.enter("a"):
            pass
        clock[0] += 1
        rest_seconds = min(rest_seconds * 2, MAX_REST_SECONDS)
    with breaker.enter("a"):
        pass
    fail(breaker)
    clock[0] += FIRST_REST_SECONDS
    with breaker.enter("a"), breaker.enter("b"):
        pass


def test_a_host_is_free_again_after_an_error(breaker):
    with pytest.raises(LookupError), breaker.enter("a"):
        raise LookupError
    with breaker.enter("a"):
        pass
