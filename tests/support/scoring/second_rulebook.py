"""Nociplastic 2.0.0 as it is in its file, and the rulebooks of each generation to try laws on."""

from functools import cache

from support.scoring.small_second_rulebook import load_small_second

from scoring.catalogue import RULEBOOKS_FOLDER, load_catalogue, read_rulebook
from scoring.compiled_rulebook import LoadedRulebook


@cache
def load_second() -> LoadedRulebook:
    """Return nociplastic 2.0.0, without the trials of its check."""
    return read_rulebook(RULEBOOKS_FOLDER / "nociplastic" / "2.0.0.toml", with_trials=False)


FIRST_RULEBOOKS = [
    load_catalogue().find_version(name) for name in ("nociplastic@1.0.0", "phq4@1.0.0")
]
SECOND_RULEBOOKS = [load_second(), load_small_second()]
