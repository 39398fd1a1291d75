"""Define the view model: everything that a report shows, in words and rounded numbers."""

from reports.blocks import PrintedLetterhead
from reports.view.body_map import BodyMap
from reports.view.charts import BandScale, BarChart, TrendChart
from reports.view.sources import CitedSource
from schemas.base import FrozenModel, Many


class FlagLine(FrozenModel):
    """A red flag and its action; one that is `about_person` must not be on the patient sheet.

    An urgent one is for today. The sheet prints its `patient_label` alone.
    """

    id: str
    label: str
    patient_label: str
    tier_id: str
    is_urgent: bool
    is_marked_by_patient: bool
    is_assessed: bool
    about_person: bool
    tier: str
    suspect: str
    action: str
    sources: str


class Reason(FrozenModel):
    """One criterion with its points and the sentence that explains them.

    `finding` is that sentence without the points. `open_text` says briefly what is open of one that
    is not settled, with the points that are possible; it is empty for a settled one.
    """

    id: str
    domain: str
    label: str
    points: str
    because: str
    finding: str
    grade: str
    sources: str
    discount_note: str
    discount_reason: str
    is_answered: bool
    open_text: str


class DomainLine(FrozenModel):
    """A domain, the points that count, and why they differ from its sum if they do."""

    id: str
    label: str
    points: str
    bounds_text: str
    text: str
    note: str


class OpenQuestion(FrozenModel):
    """An unanswered question and by how many points it could still move the total."""

    label: str
    swing: str
    is_required: bool


class LabelledText(FrozenModel):
    """A label with its text."""

    name: str
    text: str
    sources: str = ""


class NextStepLine(FrozenModel):
    """An option for the clinician, how certain it is, and what to mind.

    `rung` is the heading of its group, or empty.
    """

    name: str
    text: str
    sources: str
    rung: str
    cautions: Many[str]


class AlternativeLine(FrozenModel):
    """Another explanation to consider, its signs, and what would settle it."""

    label: str
    signs: str
    settle: str
    sources: str


class GradedLine(LabelledText):
    """A criterion of a published grading, and whether it is met."""

    is_met: bool


class GradingLine(FrozenModel):
    """A published grading and its criteria."""

    name: str
    grade: str
    note: str
    lines: Many[GradedLine]
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
    """One pattern of the evidence sheet; without `patient_label` it is on no patient's sheet."""

    number: int
    label: str
    patient_label: str | None
    state: str
    state_id: str
    is_seen: bool
    criteria: str
    evidence: str


class SheetView(FrozenModel):
    """What only the patient's sheet shows; `kind` decides which of its parts are printed.

    It `names_activity` only where an effort is known not to make the person ill.
    """

    kind: str
    has_crisis_lines: bool
    crisis_numbers: Many[str]
    emergency_numbers: Many[str]
    plain_phrase: str
    names_activity: bool
    answers: Many[LabelledText]
    denied_count: int
    open_safety_questions: Many[str]
    open_questions: Many[str]


class ReportView(FrozenModel):
    """Everything that a report shows. Withheld parts are None or empty."""

    language: str
    title: str
    intended_use: str
    letterhead: PrintedLetterhead
    is_test: bool
    notices: Many[str]
    error_reason: str | None
    identifiers: Many[LabelledText]
    facts: Many[LabelledText]
    note: str | None
    screening_id: str | None
    status: str
    is_confidential: bool
    is_shareable: bool
    result_title: str
    possible_bands: str | None
    headline: str
    tier: str | None
    flags: Many[FlagLine]
    no_flag_text: str | None
    unanswered_safety_questions: Many[str]
    has_no_safety_answers: bool
    withdrawn_flags_text: str | None
    acknowledgements: Many[str]
    scope_reasons: Many[str]
    further_scope_text: str | None
    unanswered_scope_questions: Many[str]
    band_id: str | None
    band: str | None
    band_meaning: str | None
    lower_band_reason: str | None
    totals: Many[LabelledText]
    scale: BandScale | None
    picture: str | None
    picture_meaning: str | None
    ledgers: BarChart | None
    body: BodyMap | None
    trend: TrendChart | None
    shows_opposing_first: bool
    supporting: Many[Reason]
    opposing: Many[Reason]
    open_questions: Many[OpenQuestion]
    ask_first: Many[LabelledText]
    needed_for_safety: Many[str]
    other_open_questions: Many[LabelledText]
    other_open_count: int
    not_asked: Many[str]
    alternatives: Many[AlternativeLine]
    no_alternatives_text: str | None
    contradictions: Many[str]
    what_if: Many[LabelledText]
    gradings: Many[GradingLine]
    derived_values: Many[LabelledText]
    patterns_summary: str | None
    patterns: Many[PatternLine]
    findings: Many[FindingLine]
    next_steps: Many[NextStepLine]
    domains: Many[DomainLine]
    criteria: Many[Reason]
    limitations: Many[str]
    points_explanation: str
    sources: Many[CitedSource]
    has_unverified_sources: bool
    rulebook: str
    rulebook_sha256: str
    produced_on: str
    produced_on_iso: str
    assessment_json: str
    sheet: SheetView
