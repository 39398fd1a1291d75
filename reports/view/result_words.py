"""Put the result into words: the band as answered so far, and the bands that are still possible."""

from decimal import Decimal
from typing import NamedTuple

from pydantic import MISSING

from reports.phrases import Phrases
from schemas.assessments.assessment import Assessment, TotalPoints
from schemas.rulebooks.rulebook import Band, Rulebook, Total


class ResultWords(NamedTuple):
    """The result in a few words, what it still may become, and what it means."""

    title: str
    possible_bands: str | None
    headline: str


class PossibleBands(NamedTuple):
    """The least and the most band that a total can still become."""

    least: Band
    most: Band


def find_banded_total(rulebook: Rulebook) -> Total | None:
    """Return the total that the bands refer to, or None."""
    return next((total for total in rulebook.total if total.banded), None)


def describe_result(rulebook: Rulebook, assessment: Assessment, phrases: Phrases) -> ResultWords:
    """Return the result in words; what is withheld or out of scope says so."""
    wording = rulebook.wording
    main = find_banded_total(rulebook)
    total = assessment.totals[main.id] if assessment.totals and main else None
    possible = find_possible_bands(rulebook, total) if total else None
    match assessment.status:
        case "withheld_red_flag":
            return ResultWords(phrases.say("status_withheld_red_flag"), None, wording.withheld)
        case "out_of_scope":
            labels = wording.listed.join(reason.label for reason in assessment.scope.reasons)
            headline = wording.out_of_scope.format(reasons=labels)
            return ResultWords(phrases.say("status_out_of_scope"), None, headline)
        case "insufficient_information":
            title = phrases.say("status_insufficient_information")
            if possible:
                title = _describe_unsettled(rulebook, assessment, possible, phrases).rstrip(".")
            return ResultWords(title, None, _explain_no_band(rulebook, assessment, phrases))
    band = next((item for item in rulebook.band if total and item.id == total.band), None)
    if band is None or possible is None:
        return ResultWords(phrases.say("status_scored"), None, "")
    return ResultWords(
        band.label, _describe_possible(rulebook, assessment, band, possible, phrases), band.meaning
    )


def find_possible_bands(rulebook: Rulebook, total: TotalPoints) -> PossibleBands | None:
    """Return the bands at the ends of the range; those of the table where none are stored."""
    if not rulebook.band:
        return None
    bands = {band.id: band for band in rulebook.band}
    if total.band_range is not MISSING and total.band_range is not None:
        return PossibleBands(bands[total.band_range.least], bands[total.band_range.most])
    return PossibleBands(
        _find_band(rulebook, total.range.least), _find_band(rulebook, total.range.most)
    )


def _find_band(rulebook: Rulebook, points: Decimal) -> Band:
    """Return the band of the table for these points, regardless of its other needs."""
    return next(band for band in reversed(rulebook.band) if is_reached(band, points))


def is_reached(band: Band, points: Decimal) -> bool:
    """Return whether the points are at or above the lower edge of the band."""
    if band.from_ is not None:
        return points >= band.from_
    return band.above is None or points > band.above


def _describe_unsettled(
    rulebook: Rulebook, assessment: Assessment, possible: PossibleBands, phrases: Phrases
) -> str:
    least, most = possible
    if least == most:
        text = rulebook.wording.band_would_be or phrases.words["band_would_be"]
        questions = rulebook.wording.listed.join(list_needed_questions(rulebook, assessment))
        return text.format(band=least.label, questions=questions)
    text = rulebook.wording.between_bands or phrases.words["between_bands"]
    return text.format(least=least.label, most=most.label)


def list_needed_questions(rulebook: Rulebook, assessment: Assessment) -> tuple[str, ...]:
    """Return the labels of the open questions that must be answered."""
    required, questions = set(rulebook.rulebook.must_answer), rulebook.questions_by_id
    return tuple(
        questions[missing.question].label
        for missing in assessment.missing or ()
        if missing.question in required
    )


def _explain_no_band(rulebook: Rulebook, assessment: Assessment, phrases: Phrases) -> str:
    """Return why there is no band; that nothing is safe to rely on comes first."""
    if assessment.why_no_band is MISSING or not assessment.why_no_band:
        return phrases.say("no_band_because")
    unsafe = rulebook.wording.not_safe_to_rely_on or ""
    reasons = (reason.text for reason in assessment.why_no_band)
    return " ".join(filter(None, ("" if assessment.safety.all_asked else unsafe, *reasons)))


def _describe_possible(
    rulebook: Rulebook,
    assessment: Assessment,
    band: Band,
    possible: PossibleBands,
    phrases: Phrases,
) -> str | None:
    least, most = possible
    if least == most:
        return phrases.say("band_stays", band=band.label) if assessment.missing else None
    text = rulebook.wording.as_answered_so_far or phrases.words["as_answered_so_far"]
    return text.format(band=band.label, least=least.label, most=most.label)
