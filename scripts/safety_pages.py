"""Writes the hazard log and the model cards; with --check fails if they differ.

The log comes from docs/safety/hazards.toml, the cards from the rulebooks.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from clinical_page import format_number, item, paragraph, section
from generated_pages import FOLDER, write_pages

from schemas.rulebooks.rulebook import Rulebook
from scoring.catalogue import RULEBOOKS_FOLDER, Catalogue, CatalogueEntry

NOTE = "<!-- Written by scripts/safety_pages.py. Run `make openapi`. -->"
SEVERITIES = ("minor", "significant", "considerable", "major", "catastrophic")
RISKS = {
    "very high": (3, 4, 4, 5, 5),
    "high": (2, 3, 3, 4, 5),
    "medium": (2, 2, 3, 3, 4),
    "low": (1, 2, 2, 3, 4),
    "very low": (1, 1, 2, 2, 3),
}
"""The risk of a hazard by its likelihood, for each severity in order."""
MEANINGS = {
    5: "unacceptable",
    4: "must be reduced",
    3: "tolerable only with a reason",
    2: "acceptable with good practice",
    1: "acceptable",
}
LOG = """
The hazards of the product in the style of DCB0129: what can go wrong, why, what follows, what
prevents it, and what risk remains. Each control names the tests that fail without it, and
`tests/docs/test_safety_file.py` fails if a test does not exist, if a hazard has no control, or if a
risk of 4 or 5 remains. Severity and likelihood are estimates of the authors. No Clinical Safety
Officer has reviewed them, and no figure here was measured in use. The source is
[hazards.toml](hazards.toml); the last line of each hazard is what the deploying clinic must do.
"""
CARDS = """
A model card for each rulebook that ships, written from its data. No rulebook is a learned model:
each is a set of written rules with weights that people chose. None has been validated with
patients, so no card has a figure for accuracy.
"""
RESPONDENTS = {"patient": "the patient", "clinician": "the clinician", "either": "either"}


def main() -> None:
    """Write the pages, or name those that differ from their sources."""
    pages = {
        "safety/hazard-log.md": write_hazard_log(read_hazards()),
        "clinical/model-cards.md": write_model_cards(),
    }
    write_pages(pages, "its source")


def read_hazards() -> list[dict[str, Any]]:
    """Return the hazards in their order."""
    text = (FOLDER / "safety" / "hazards.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["hazard"])


def rate_risk(severity: str, likelihood: str) -> int:
    """Return the risk from 1 to 5; an unknown word is a KeyError or a ValueError."""
    return RISKS[likelihood][SEVERITIES.index(severity)]


def write_hazard_log(hazards: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the hazard log."""
    yield from ("# Hazard log", "", NOTE)
    yield from paragraph(LOG)
    yield from section("How risk is rated")
    yield from ("", f"| Likelihood | {' | '.join(SEVERITIES)} |", f"|---{'|---' * 5}|")
    for likelihood, risks in RISKS.items():
        yield f"| {likelihood} | {' | '.join(map(str, risks))} |"
    yield from paragraph(
        "; ".join(f"{risk}: {meaning}" for risk, meaning in MEANINGS.items()) + "."
    )
    yield from section("Hazards at a glance")
    yield from ("", "| Hazard | | Before | After |", "|---|---|---|---|")
    for hazard in hazards:
        before, after = rate_before_and_after(hazard)
        yield f"| {hazard['id']} | {hazard['title']} | {before} | {after} |"
    for hazard in hazards:
        yield from write_hazard(hazard)


def write_hazard(hazard: dict[str, Any]) -> Iterator[str]:
    """Yield the section of one hazard."""
    before, after = rate_before_and_after(hazard)
    yield from section(f"{hazard['id']} {hazard['title']}")
    yield from paragraph(f"**Cause.** {hazard['cause']}")
    yield from paragraph(f"**Effect.** {hazard['effect']}")
    yield from paragraph(
        f"**Risk before controls:** {before} ({hazard['severity']}, {hazard['likelihood']}). "
        f"**Remaining risk:** {after} "
        f"({hazard['residual_severity']}, {hazard['residual_likelihood']})."
    )
    if "accepted_because" in hazard:
        yield from paragraph(f"**Why it is tolerated.** {hazard['accepted_because']}")
    yield from ("", "| Control | Tests |", "|---|---|")
    for control in hazard["control"]:
        tests = "<br>".join(f"`{test}`" for test in control["tests"])
        yield f"| {control['text']} | {tests} |"
    yield from paragraph(f"**The clinic.** {hazard['clinic']}")


def rate_before_and_after(hazard: dict[str, Any]) -> tuple[int, int]:
    """Return the risk without controls, and the risk that remains."""
    return (
        rate_risk(hazard["severity"], hazard["likelihood"]),
        rate_risk(hazard["residual_severity"], hazard["residual_likelihood"]),
    )


def write_model_cards() -> Iterator[str]:
    """Yield the cards of all released rulebooks."""
    yield from ("# Model cards", "", NOTE)
    yield from paragraph(CARDS)
    catalogue = Catalogue()
    for loaded in sorted(catalogue.list_released(), key=lambda loaded: loaded.name):
        yield from write_model_card(loaded.rulebook, catalogue.find_entry(loaded))


def write_model_card(book: Rulebook, entry: CatalogueEntry) -> Iterator[str]:
    """Yield the card of one rulebook."""
    yield from section(f"{entry.name}: {book.rulebook.title}")
    yield from paragraph(f"**Intended use.** {book.rulebook.intended_use}")
    yield from paragraph(
        "**Validation.** None with patients: no sensitivity, specificity, calibration or agreement "
        "has been measured for this rulebook. Its worked cases check that the program follows the "
        "rules, not that the rules are right."
    )
    yield ""
    yield from item(
        f"**Release:** {entry.status}, {entry.released_on}, approved by {entry.approver}; "
        f"SHA-256 `{entry.sha256}`"
    )
    for label, text in describe_content(book):
        yield from item(f"**{label}:** {text}")
    yield from ("", "**Limits, printed in reports where they apply:**", "")
    for limitation in book.limitation:
        yield from item(limitation.text)


def describe_content(book: Rulebook) -> Iterator[tuple[str, str]]:
    """Yield label and text of what the rulebook asks, weighs and cites."""
    header = book.rulebook
    respondents = Counter(RESPONDENTS[question.who] for question in book.question)
    grades = Counter(criterion.grade for criterion in book.criterion)
    unverified = sum(citation.unverified for citation in book.citation)
    yield "Input", f"{len(book.question)} questions, by who answers: {describe_counts(respondents)}"
    yield "Must be answered", ", ".join(f"`{name}`" for name in header.must_answer)
    yield "Points", header.points_are
    yield (
        "Weights",
        f"{len(book.criterion)} criteria in {len(book.domain)} domains; none was fitted to data",
    )
    yield "Evidence grades of the criteria", describe_counts(grades)
    bounds = [
        f"{domain.label} {format_number(domain.floor)} to {format_number(domain.ceiling)}"
        for domain in book.domain
    ]
    yield "Bounds", "; ".join(bounds)
    yield "Bands", "; ".join(band.label for band in book.band) or "none"
    yield "Red flags", describe_counts(Counter(flag.tier for flag in book.flag)) or "none asked"
    yield "No result for", "; ".join(rule.label for rule in book.scope) or "no rule"
    yield "Other explanations", str(len(book.alternative) or "none")
    yield (
        "Sources",
        f"{len(book.citation)}, of which {unverified} were cited from memory and not read again",
    )
    languages = sorted(
        file.name.split(".")[-2]
        for file in (RULEBOOKS_FOLDER / header.instrument / "translations").glob(
            f"{header.version}.*.toml"
        )
    )
    yield (
        "Languages",
        f"written in {header.language}; translated, not adapted: " + ", ".join(languages),
    )


def describe_counts(counts: "Counter[str]") -> str:
    """Return `a 3, b 5`, by name."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
