"""Writes docs/clinical/ from the rulebooks, for clinicians; with --check fails if it differs."""

import textwrap
from collections.abc import Iterable, Iterator

from condition_words import ConditionWriter
from generated_pages import write_pages

from schemas.base import to_json_number
from schemas.rulebooks.rulebook import Criterion, Derived, Flag, NextStep, Question, Rulebook
from scoring.catalogue import RULEBOOKS_FOLDER, read_rulebook
from scoring.explanation import format_points

NOTE = "<!-- Written by scripts/clinical_page.py from the rulebook. Run `make openapi`. -->"
RESPONDENTS = {"patient": "the patient", "clinician": "the clinician", "either": "either"}
KINDS = {"boolean": "yes or no", "choice": "one option", "multi": "any number of options"}
READING = """
This page is written from the rulebook, which is the only source of what the screen does. It exists
so that you can contest it: each weight has its condition, its reason, the grade of its evidence and
its sources. A condition is true, false or unknown; an unanswered question makes it unknown, never
false. The levels of a criterion are read from the top, and the first that is true gives its points.
A discount multiplies positive points only; where several hold, the smallest factor applies. Grades
of evidence: A meta-analysis or replicated; B one study or a biased derivation; C consensus; D
opinion of practitioners. A source marked as cited from memory was not read again for this version.
"""


def main() -> None:
    """Write the pages, or name those that differ from the rulebooks."""
    books = [
        read_rulebook(file, with_trials=False).rulebook
        for file in sorted(RULEBOOKS_FOLDER.glob("*/*.toml"))
        if file.stem[0].isdigit()
    ]
    pages = {
        f"clinical/{book.rulebook.instrument}-{book.rulebook.version}.md": Page(book)
        for book in books
        if book.rulebook.counts_certain_points
    }
    write_pages(pages, "its rulebook")


class Page:
    """The page of one rulebook, line by line."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._words = ConditionWriter(book)
        self._tiers = {tier.id: tier.label for tier in book.tier}
        self._citations = {citation.id: number for number, citation in enumerate(book.citation, 1)}

    def __iter__(self) -> Iterator[str]:
        """Yield the lines of the page."""
        header = self._book.rulebook
        yield from (f"# {header.title}, {header.version}", "", NOTE)
        yield from paragraph(header.intended_use)
        yield from paragraph(header.points_are)
        yield from paragraph(READING)
        for section in (
            self._questions,
            self._derived_values,
            self._criteria,
            self._totals,
            self._flags,
            self._scope,
            self._gradings,
            self._alternatives,
            self._contradictions,
            self._next_steps,
            self._patterns,
            self._findings,
            self._limitations,
            self._sources,
        ):
            yield from section()

    def _questions(self) -> Iterator[str]:
        yield from section("Questions")
        must_answer = set(self._book.rulebook.must_answer)
        for topic in self._book.topic:
            yield from section(topic.label, 3)
            yield ""
            for question in self._book.question:
                if question.topic == topic.id:
                    yield from self._write_question(question, must_answer)

    def _write_question(self, question: Question, must_answer: set[str]) -> Iterator[str]:
        properties = [
            RESPONDENTS[question.who],
            KINDS.get(question.kind, "") or describe_limits(question),
            "must be answered" if question.id in must_answer else "",
            "core" if question.core and question.id not in must_answer else "",
            "may be left out" if question.optional else "",
        ]
        text = " ".join(filter(None, (question.text, question.help)))
        yield from item(
            f"**{question.label}** (`{question.id}`; {', '.join(filter(None, properties))}). {text}"
        )
        if question.options:
            options = "; ".join(option.label for option in question.options)
            yield from item(f"Options: {options}.", 1)
        labels = {option.id: option.label for option in question.options}
        for name, members in question.groups.items():
            yield from item(f"Group `{name}`: {'; '.join(labels[it] for it in members)}.", 1)
        if question.ask_when is not None:
            otherwise = (
                "it then stays open"
                if question.neutral is None
                else "it then counts as none or no, and is printed as not asked"
            )
            yield from item(
                f"Asked unless this is false: {self._words.write(question.ask_when)}; {otherwise}.",
                1,
            )

    def _derived_values(self) -> Iterator[str]:
        yield from section("Calculated values and named conditions")
        yield ""
        for derived in self._book.derived:
            yield from item(
                f"**{derived.label}** (`{derived.id}`): {self._describe_derived(derived)}."
            )

    def _describe_derived(self, derived: Derived) -> str:
        name = self._words.name
        if derived.when is not None:
            return self._words.write(derived.when)
        if derived.whole_years is not None:
            years, months = derived.whole_years.operands
            return f"{name(years)} less {name(months)}, in whole years"
        if derived.sum_of or derived.mean_of:
            operands = ", ".join(map(name, derived.sum_of or derived.mean_of))
            kind = "sum" if derived.sum_of else "mean"
            return f"the {kind} of {operands}; unknown unless all are answered"
        question = name(derived.question or "")
        if derived.options_in:
            return f"how many options of the group `{derived.options_in}` of {question} are marked"
        groups = ", ".join(f"`{group}`" for group in derived.groups_in)
        return f"how many of the groups {groups} of {question} hold a mark"

    def _criteria(self) -> Iterator[str]:
        yield from section("Criteria")
        for domain in self._book.domain:
            floor, ceiling = (format_number(it) for it in (domain.floor, domain.ceiling))
            yield from section(f"{domain.label} (from {floor} to {ceiling} points)", 3)
            if domain.note:
                yield from paragraph(domain.note)
            for gate in self._book.gate:
                if gate.domain == domain.id:
                    yield from paragraph(gate.because)
            for criterion in self._book.criterion:
                if criterion.domain == domain.id:
                    yield from self._write_criterion(criterion)

    def _write_criterion(self, criterion: Criterion) -> Iterator[str]:
        yield from section(f"{criterion.id} {criterion.label}", 4)
        yield ""
        for level in criterion.level:
            points = format_points(int(level.points * 100))
            yield from item(f"**{points}** where {self._words.write(level.when)}.")
        for discount in criterion.discount:
            reason = discount.because.replace("{which}", "what is marked of these")
            yield from item(
                f"Counted x{to_json_number(discount.factor)} where "
                f"{self._words.write(discount.when)}: {reason}."
            )
        yield from paragraph(
            f"{criterion.rationale} Evidence: {criterion.grade}. {self._cite(criterion.citations)}"
        )

    def _totals(self) -> Iterator[str]:
        book = self._book
        yield from section("Totals, bands and pictures")
        yield ""
        labels = {domain.id: domain.label for domain in book.domain}
        for total in book.total:
            domains = ", ".join(labels[domain] for domain in total.domains)
            yield from item(f"**{total.label}**: the sum of {domains}. {total.note}")
        yield from section("Bands", 3)
        yield ""
        for band in book.band:
            start = (
                f"from {format_number(band.from_)}"
                if band.from_ is not None
                else f"above {format_number(band.above)}"
                if band.above is not None
                else "below"
            )
            yield from item(f"**{band.label}** ({start}): {band.meaning}")
            if band.needs is not None:
                yield from item(band.needs.because, 1)
        yield from section("Why no band may be given", 3)
        yield ""
        for reason in book.no_band_reason:
            yield from item(f"`{reason.id}`: {reason.text}")
        yield from section("Pictures", 3)
        yield ""
        for picture in book.picture:
            yield from item(f"**{picture.label}**: {picture.meaning}")

    def _flags(self) -> Iterator[str]:
        yield from section("Red flags")
        yield from paragraph(
            "Red flags are never weighed. An unknown condition raises none, and an unknown "
            "exception clears none."
        )
        for tier in self._book.tier:
            withholds = "; the result is withheld" if tier.withholds else ""
            yield from section(f"{tier.id}: {tier.label}{withholds}", 3)
            yield ""
            for flag in self._book.flag:
                if flag.tier == tier.id:
                    yield from self._write_flag(flag)

    def _write_flag(self, flag: Flag) -> Iterator[str]:
        about_text = "; about the person, so nothing is withheld" if flag.about_person else ""
        yield from item(f"**{flag.label}** (`{flag.id}`{about_text})")
        unless = f", unless {self._words.write(flag.unless)}" if flag.unless else ""
        yield from item(f"Raised where {self._words.write(flag.when)}{unless}.", 1)
        yield from item(f"Think of: {flag.suspect}. What to do: {flag.action}", 1)
        if flag.assessed_by:
            question = self._book.rulebook.assessed_question or ""
            options = self._book.questions_by_id[question].options
            labels = "; ".join(it.label for it in options if it.id in flag.assessed_by)
            yield from item(f"Shown as assessed, at the last tier, by: {labels}.", 1)
        yield from item(self._cite(flag.citations), 1)

    def _scope(self) -> Iterator[str]:
        yield from section("Out of scope")
        yield ""
        for rule in self._book.scope:
            yield from item(f"**{rule.label}** (`{rule.id}`): {self._words.write(rule.when)}.")

    def _gradings(self) -> Iterator[str]:
        yield from section("Published gradings")
        yield from paragraph("They are kept apart from the points.")
        for grading in self._book.grading:
            yield from section(grading.label, 3)
            yield from paragraph(f"{grading.note} {self._cite(grading.citations)}")
            yield ""
            for grade in grading.grade:
                if grade.when is not None:
                    condition = f"where {self._words.write(grade.when)}"
                elif grade.unless is not None:
                    condition = f"unless {self._words.write(grade.unless)}"
                else:
                    condition = "otherwise"
                yield from item(f"**{grade.label}** (`{grade.id}`): {condition}.")
            for line in grading.criterion:
                yield from item(
                    f"Criterion {line.id}, {line.label}: {self._words.write(line.met)}."
                )

    def _alternatives(self) -> Iterator[str]:
        header = self._book.rulebook
        yield from section("Other explanations")
        yield from paragraph(
            "Each sign that is true adds its strength; an explanation is listed from a strength "
            f"of {header.alternatives_from}. Strengths are an order, not likelihoods, and the list "
            "is not exhaustive."
        )
        for alternative in self._book.alternative:
            yield from section(alternative.label, 3)
            yield ""
            for sign in alternative.sign:
                yield from item(f"{sign.strength}: {sign.words}: {self._words.write(sign.when)}.")
            if alternative.unless is not None:
                yield from item(f"Not listed where {self._words.write(alternative.unless)}.")
            yield from paragraph(
                f"What would settle it: {alternative.settle} {self._cite(alternative.citations)}"
            )

    def _contradictions(self) -> Iterator[str]:
        yield from section("Contradictions")
        yield ""
        for rule in self._book.contradiction:
            yield from item(f"{rule.text} (`{rule.id}`) {self._words.write(rule.when)}.")

    def _next_steps(self) -> Iterator[str]:
        yield from section("Next steps")
        yield from paragraph("Options for the clinician to consider, by rung; never instructions.")
        for step in sorted(self._book.next_step, key=lambda step: step.rung):
            yield from self._write_step(step)

    def _write_step(self, step: NextStep) -> Iterator[str]:
        yield from section(f"Rung {step.rung}: `{step.id}`", 3)
        yield from paragraph(f"{step.label} {step.certainty} {self._cite(step.citations)}")
        yield ""
        if step.when is not None:
            yield from item(f"Given where {self._words.write(step.when)}.")
        if step.not_when is not None:
            yield from item(f"Never where {self._words.write(step.not_when)}.")
        cautions = {caution.id: caution for caution in self._book.caution}
        for name in step.cautions:
            caution = cautions[name]
            yield from item(f"Caution where {self._words.write(caution.when)}: {caution.text}")

    def _patterns(self) -> Iterator[str]:
        yield from section("Patterns of the evidence sheet")
        yield ""
        for pattern in self._book.pattern:
            criteria = ", ".join(pattern.criteria)
            yield from item(
                f"**{pattern.number}. {pattern.label}** ({criteria}): seen where "
                f"{self._words.write(pattern.seen)}. {pattern.evidence}"
            )

    def _findings(self) -> Iterator[str]:
        yield from section("Imaging in context")
        yield ""
        for finding in self._book.finding:
            ages = ", ".join(f"{percent(row.share)} at {row.age}" for row in finding.at_age) or (
                percent(finding.share) if finding.share is not None else "no figure"
            )
            text = f" {finding.text}" if finding.text else ""
            yield from item(
                f"**{finding.label}**: {ages} of {finding.population}.{text} "
                f"{finding.counter_evidence} {self._cite(finding.citations)}"
            )

    def _limitations(self) -> Iterator[str]:
        yield from section("Limitations")
        yield ""
        for limitation in self._book.limitation:
            where = f" (where {self._words.write(limitation.when)})" if limitation.when else ""
            yield from item(f"{limitation.text}{where}")

    def _sources(self) -> Iterator[str]:
        yield from section("Sources")
        yield ""
        for citation in self._book.citation:
            number = self._citations[citation.id]
            link = (
                f" <https://doi.org/{citation.doi}>"
                if citation.doi
                else f" <{citation.link}>"
                if citation.link
                else ""
            )
            memory = " *Cited from memory.*" if citation.unverified else ""
            yield from item(f"[{number}] {citation.text}{link}{memory}")

    def _cite(self, names: Iterable[str]) -> str:
        numbers = sorted(self._citations[name] for name in names)
        return f"Sources: {', '.join(f'[{number}]' for number in numbers)}." if numbers else ""


def describe_limits(question: Question) -> str:
    """Return the range of a number."""
    least, most = (format_number(it) for it in (question.minimum, question.maximum))
    return f"{'whole number' if question.kind == 'integer' else 'number'} from {least} to {most}"


def format_number(value: object) -> str:
    """Return a number without trailing zeros."""
    return str(to_json_number(value))  # type: ignore[arg-type]


def percent(share: object) -> str:
    """Return a share in percent."""
    return f"{format_number(share * 100)} %"  # type: ignore[operator]


def section(title: str, depth: int = 2) -> Iterator[str]:
    """Begin a section."""
    yield from ("", f"{'#' * depth} {title}")


def paragraph(text: str) -> Iterator[str]:
    """Yield a paragraph in lines of at most 100 characters."""
    yield ""
    yield from wrap(text)


def item(text: str, depth: int = 0) -> list[str]:
    """Return an item of a list in lines of at most 100 characters."""
    return wrap(text, f"{'  ' * depth}- ")


def wrap(text: str, indent: str = "") -> list[str]:
    """Break text into lines of at most 100 characters; `indent` is of the first."""
    return textwrap.wrap(
        " ".join(text.split()),
        100,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    main()
