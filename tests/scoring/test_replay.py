"""Stored answers are assessed again byte for byte: the digests are those of the release."""

import os

import pytest
from support.sample import IS_SAMPLE
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
PROFILE = os.environ.get("HYPOTHESIS_PROFILE")
STEP = 40 if PROFILE == "mutation" else 4 if IS_SAMPLE else 1
"""Of how many blocks one is assessed again: mutants are tried with few, or a run takes days."""
BATCH_STEP = {"deep": 1, "mutation": 40}.get(PROFILE, 8)
"""Of how many blocks one is also scored as a batch."""

every_rulebook = pytest.mark.parametrize("name", BLOCKS)


def test_eleven_thousand_intakes_are_replayed():
    assert sum(BLOCKS.values()) * BLOCK_SIZE == 11_000
    recorded = {name: len(DIGESTS[f"{name} assessments"]) for name in BLOCKS}
    assert recorded == BLOCKS


@every_rulebook
def test_stored_assessments_replay_to_the_byte(name):
    digests = [digest_assessments(name, block) for block in range(0, BLOCKS[name], STEP)]
    assert digests == DIGESTS[f"{name} assessments"][::STEP]


@every_rulebook
@pytest.mark.parametrize("language", ["de", "es"])
def test_translated_assessments_replay_to_the_byte(name, language):
    blocks = range(0, TRANSLATED_BLOCKS, STEP)
    digests = [digest_assessments(name, block, language) for block in blocks]
    assert digests == DIGESTS[f"{name} assessments {language}"][::STEP]


@every_rulebook
def test_batches_give_the_same_rows(name):
    blocks = range(0, BLOCKS[name], BATCH_STEP)
    digests = [digest_batch(name, block) for block in blocks]
    assert digests == [DIGESTS[f"{name} batch"][block] for block in blocks]


@every_rulebook
def test_the_rulebook_is_answered_to_the_byte(name):
    assert [digest_rulebook(name)] == DIGESTS[f"{name} rulebook"]
