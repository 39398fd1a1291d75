"""Finds the bands of both ends of a range, and whether they are near enough for a band."""

from schemas.assessments.assessment import BandRange, NoBand
from schemas.rulebooks.guidance import AcceptableRange, NoBandReason
from scoring.answers.intake_facts import IntakeFacts
from scoring.common_rules import scale
from scoring.common_rules.weighed_intake import WeighedIntake
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts


class BandRangeRules:
    """The bands of one rulebook, and the ranges that it accepts."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self._loaded = loaded
        self._positions = {band.id: index for index, band in enumerate(loaded.rulebook.band)}

    def find_band_range(self, weighed_intake: WeighedIntake, facts: Facts) -> BandRange | None:
        """Return the bands of the least and the most total, with their needs at that end.

        What is unknown does not meet a need of the least band, and may meet one of the most.
        """
        least = scale.select_band(self._loaded, weighed_intake.least, facts)
        most = scale.select_band(self._loaded, weighed_intake.most, facts, if_unknown=True)
        return BandRange(least=least.id, most=most.id) if least and most else None

    def count_bands_apart(self, band_range: BandRange | None) -> int:
        """Return how many steps lie between the ends; 0 without bands."""
        if band_range is None:
            return 0
        return self._positions[band_range.most] - self._positions[band_range.least]

    def list_no_band_reasons(
        self, band_range: BandRange | None, intake: IntakeFacts
    ) -> tuple[NoBand, ...]:
        """Return the reasons why no band is given, in rulebook order; none if it is scored."""
        return tuple(
            NoBand(id=reason.id, text=reason.text)
            for reason in self._loaded.rulebook.no_band_reason
            if self._applies(reason, band_range, intake)
        )

    def _applies(
        self, reason: NoBandReason, band_range: BandRange | None, intake: IntakeFacts
    ) -> bool:
        if not reason.range_too_wide:
            return any(map(intake.is_open, reason.unanswered))
        return band_range is not None and not any(
            self._accepts(acceptable, band_range, intake)
            for acceptable in self._loaded.rulebook.acceptable_range
        )

    def _accepts(
        self, acceptable: AcceptableRange, band_range: BandRange, intake: IntakeFacts
    ) -> bool:
        ends = (band_range.least, band_range.most)
        return (
            self.count_bands_apart(band_range) <= acceptable.most_bands_apart
            and acceptable.ends in ((), ends)
            and not any(map(intake.is_open, acceptable.answered))
            and (
                acceptable.when is None
                or self._loaded.evaluate(acceptable.when, intake.facts) is True
            )
        )
