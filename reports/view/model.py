"""Define the view model: everything that a report shows, in words and rounded numbers."""

from reports.blocks import Letters
from reports.view.body_map import BodyMap
from reports.view.charts import Bars, Scale, Trend
from reports.view.sources import Source
from schemas.base import FrozenModel, Many


class FlagLine(FrozenModel):
    """A red flag and its action.

    `marked`: the patient marked it. `about_person`: it must not appear on the patient sheet.
    """

    label: str
    tier_id: str
    marked: bool
    about_person: bool
    tier: str
    suspect: str
    action: str
    sources: str


class Reason(FrozenModel):
    """One criterion with its points and the sentence that explains them."""

    id: str
    domain: str
    label: str
    points: str
    because: str
    grade: str
    sources: str
    discounted: str
    answered: bool


class DomainLine(FrozenModel):
    """A domain, the points that count, and why they differ from its sum if they do."""

    id: str
    label: str
    points: str
    ends: str
    text: str
    note: str


class Open(FrozenModel):
    """An unanswered question and by how many points it could still move the total."""

    label: str
    swing: str
    required: bool


class Row(FrozenModel):
    """A label with its text."""

    name: str
    text: str
    sources: str = ""


class Graded(FrozenModel):
    """A published grading and its criteria."""

    name: str
    grade: str
    note: str
    lines: Many[Row]
    sources: str


class FindingLine(FrozenModel):
    """An imaging finding with its prevalence in people without pain."""

    label: str
    prevalence: str
    population: str
    text: str | None
    counter_evidence: str
    never_incidental: bool
    sources: str


class PatternLine(FrozenModel):
    """One pattern of the evidence sheet."""

    number: int
    label: str
    state: str
    state_id: str
    seen: bool
    criteria: str
    evidence: str


class View(FrozenModel):
    """Everything that a report shows. Withheld parts are None or empty."""

    language: str
    title: str
    intended_use: str
    letters: Letters
    test: bool
    notices: Many[str]
    in_error: str | None
    identifiers: Many[Row]
    facts: Many[Row]
    note: str | None
    screening: str | None
    status: str
    headline: str
    tier: str | None
    flags: Many[FlagLine]
    no_flag: str | None
    not_asked: Many[str]
    none_asked: bool
    no_longer: str | None
    acknowledged: Many[str]
    help_numbers: Many[str]
    scope_reasons: Many[str]
    scope_not_asked: Many[str]
    band_id: str | None
    band: str | None
    meaning: str | None
    held: str | None
    totals: Many[Row]
    scale: Scale | None
    waterfall: Bars | None
    picture: str | None
    picture_meaning: str | None
    ledgers: Bars | None
    body: BodyMap | None
    trend: Trend | None
    against_first: bool
    supporting: Many[Reason]
    opposing: Many[Reason]
    open: Many[Open]
    what_if: Many[Row]
    gradings: Many[Graded]
    derived: Many[Row]
    patterns_seen: str | None
    patterns: Many[PatternLine]
    findings: Many[FindingLine]
    next_steps: Many[Row]
    domains: Many[DomainLine]
    criteria: Many[Reason]
    limitations: Many[str]
    points_are: str
    sources: Many[Source]
    some_unverified: bool
    rulebook: str
    sha256: str
    produced_on: str
    produced_iso: str
    assessment_json: str
