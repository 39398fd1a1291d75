"""Review: what the blocks of a rulebook must hold together. A rulebook in; a list of what is wrong out."""

from schemas.rulebook import Rulebook


def review(rulebook: Rulebook) -> list[str]:
    """Every fault found, each naming its block; empty where there is none."""
    return []
