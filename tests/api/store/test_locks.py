"""Turns: first come, first served, and no turn is lost."""

from threading import Event, Thread

import pytest

from api.store.locks import FairLock, KeyedLocks


def waiting(turns):
    return len(turns._waiting)


def until(claim):
    """Wait for another thread to get there."""
    pause = Event()
    for _ in range(2000):
        if claim():
            return
        pause.wait(0.002)
    pytest.fail("it never came")


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    turns, order, threads = FairLock(), [], []

    def act(number):
        with turns.acquire(10):
            order.append(number)

    with turns.acquire(1):
        for number in range(20):
            threads.append(Thread(target=act, args=(number,)))
            threads[-1].start()
            until(lambda number=number: waiting(turns) == number + 1)
    for thread in threads:
        thread.join(10)
    assert order == list(range(20))


def test_a_timeout_while_waiting_does_not_block_later_waiters():
    turns = FairLock()
    with turns.acquire(1):
        with pytest.raises(TimeoutError), turns.acquire(0.01):
            pytest.fail("two at once")
        assert waiting(turns) == 0
    with turns.acquire(0):
        pass


def test_an_exception_hands_the_turn_on():
    turns = FairLock()
    with pytest.raises(LookupError), turns.acquire(0):
        raise LookupError
    with turns.acquire(0):
        pass


def test_each_name_has_a_turn_of_its_own_and_is_forgotten_when_it_is_free():
    turns = KeyedLocks()
    with turns.acquire("one", 0):
        with turns.acquire("other", 0), pytest.raises(TimeoutError), turns.acquire("one", 0.01):
            pytest.fail("two at once")
        assert list(turns._locks) == ["one"]
    assert not turns._locks
