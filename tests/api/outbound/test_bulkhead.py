"""The bulkhead: how many threads may wait for foreign hosts, by source and in all."""

from contextlib import ExitStack

import pytest

from api.outbound.bulkhead import Bulkhead, BulkheadFullError


def test_one_source_has_its_own_places_and_all_sources_share_a_number():
    bulkhead = Bulkhead(max_threads=5, max_per_source=2)
    with ExitStack() as waiting:
        for source in ("a", "a", "b", "b"):
            waiting.enter_context(bulkhead.enter(source))
        with pytest.raises(BulkheadFullError), bulkhead.enter("a"):
            pass
        waiting.enter_context(bulkhead.enter("c"))
        with pytest.raises(BulkheadFullError), bulkhead.enter("d"):
            pass
    with bulkhead.enter("a"), bulkhead.enter("a"), bulkhead.enter("d"):
        pass


def test_an_error_gives_the_place_back():
    bulkhead = Bulkhead(max_threads=1, max_per_source=1)
    for _ in range(2):
        with pytest.raises(LookupError), bulkhead.enter("a"):
            raise LookupError
