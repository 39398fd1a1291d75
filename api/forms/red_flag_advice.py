"""Advice: red flags in the answers so far in, what a patient reads at once out.

No label, suspicion or tier of a flag is told: only plain words on what to do now, and what was
marked that makes them needed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from api.forms.answer_parser import in_words
from api.forms.form_model import Form
from api.forms.layout import Layout, layout_of
from schemas.form_settings import EmergencyNumber, FormSettings
from schemas.rulebook import Flag
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import found
from scoring.safety import safety

ORDER = ("crisis_now", "now", "crisis_today", "unsafe", "today", "medicine", "soon", "mention")
"""Every advice there are words for, in the order in which they are read."""
_CALLED = {"crisis_now", "now", "crisis_today", "today"}
_OF_CRISIS = {"crisis_now", "crisis_today"}


class Advice(NamedTuple):
    """One thing to do now, and what was marked that asks for it."""

    phrase: str
    marked: tuple[str, ...]
    urgent: bool
    call: bool
    crisis: bool

    def numbers(self, settings: FormSettings) -> list[EmergencyNumber]:
        """Whom to call: for a crisis those who answer it first, else those for everything."""
        every = settings.emergency_numbers
        crisis = [each for each in every if each.crisis]
        return [*(crisis if self.crisis else ()), *(each for each in every if not each.crisis)]


class Alarm(NamedTuple):
    """The red flags in answers: the tier, and the flags that patients are told of."""

    tier: str
    flags: tuple[str, ...]


def alarm(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> Alarm:
    """What the answers raise."""
    shown = safety(loaded, loaded.facts(answers)).safety
    told = [each.id for each in shown.flags if _phrase(loaded, each.id)]
    return Alarm(shown.tier, tuple(told))


def advice(
    loaded: LoadedRulebook, form: Form, answers: Mapping[str, Any], flags: Iterable[str]
) -> list[Advice]:
    """What to do for these flags, the most urgent first, each once."""
    facts, wanted = loaded.facts(answers), set(flags)
    marked: dict[str, list[str]] = {}
    for flag in loaded.rulebook.flag:
        phrase = _phrase(loaded, flag.id)
        if flag.id in wanted and phrase:
            marked.setdefault(phrase, []).extend(_marks(loaded, form, flag, facts))
    return [
        Advice(
            phrase,
            tuple(dict.fromkeys(marked[phrase])),
            urgent=phrase in _CALLED,
            call=phrase in _CALLED,
            crisis=phrase in _OF_CRISIS,
        )
        for phrase in ORDER
        if phrase in marked
    ]


def unspoken(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> set[str]:
    """The red flags raised by answers that are read back on no page: read once, told no more."""
    facts = loaded.facts(answers)
    held = set(layout_of(loaded.rulebook.rulebook.instrument).unspoken)
    return {
        flag.id
        for flag in loaded.rulebook.flag
        if any(question in held for question, _ in found(flag.when, facts, loaded.questions))
    }


def _phrase(loaded: LoadedRulebook, flag_id: str) -> str | None:
    flag = next(each for each in loaded.rulebook.flag if each.id == flag_id)
    layout = layout_of(loaded.rulebook.rulebook.instrument)
    return (
        layout.advice.get(flag.id)
        or layout.advice_by_tier.get(flag.tier)
        or _general(loaded, layout, flag)
    )


def _general(loaded: LoadedRulebook, layout: Layout, flag: Flag) -> str | None:
    """For a rulebook whose layout says nothing of tiers: the careful words."""
    if layout.advice_by_tier:
        return None
    tier = next(each for each in loaded.rulebook.tier if each.id == flag.tier)
    return "today" if tier.withholds else "soon"


def _marks(loaded: LoadedRulebook, form: Form, flag: Flag, facts: Mapping[str, Any]) -> list[str]:
    asked = {each.id: each for each in form.asked if not each.unspoken}
    return [
        word
        for question, option in found(flag.when, facts, loaded.questions)
        if question in asked
        for word in in_words(asked[question], [option])
    ]
