"""What was stored is assessed again to the byte: the digests were written before the code moved."""

import os

import pytest
from support.scoring.replayed_intakes import (
    BLOCK_SIZE,
    BLOCKS,
    TRANSLATED_BLOCKS,
    digest_assessments,
    digest_batch,
    digest_rulebook,
    read_digests,
)

DIGESTS = read_digests()
BATCH_STEP = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 8
"""Of how many blocks one is also scored as a batch."""

every_rulebook = pytest.mark.parametrize("name", BLOCKS)


def test_ten_thousand_intakes_are_replayed():
    assert sum(BLOCKS.values()) * BLOCK_SIZE == 10_000
    recorded = {name: len(DIGESTS[f"{name} assessments"]) for name in BLOCKS}
    assert recorded == BLOCKS


@every_rulebook
def test_stored_assessments_replay_to_the_byte(name):
    digests = [digest_assessments(name, block) for block in range(BLOCKS[name])]
    assert digests == DIGESTS[f"{name} assessments"]


@every_rulebook
@pytest.mark.parametrize("language", ["de", "es"])
def test_translated_assessments_replay_to_the_byte(name, language):
    blocks = range(TRANSLATED_BLOCKS)
    digests = [digest_assessments(name, block, language) for block in blocks]
    assert digests == DIGESTS[f"{name} assessments {language}"]


@every_rulebook
def test_batches_give_the_same_rows(name):
    blocks = range(0, BLOCKS[name], BATCH_STEP)
    digests = [digest_batch(name, block) for block in blocks]
    assert digests == [DIGESTS[f"{name} batch"][block] for block in blocks]


@every_rulebook
def test_the_rulebook_is_answered_to_the_byte(name):
    assert [digest_rulebook(name)] == DIGESTS[f"{name} rulebook"]
