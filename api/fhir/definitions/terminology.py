"""Builds the CodeSystem and the ValueSet of each list of own codes: options, results and bands.

A code system has the codes of all released versions of an instrument, in the words of the newest.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from api.fhir.elements import NONE_OF_THESE, NONE_OF_THESE_TEXT, CanonicalUrls, Resource
from schemas.rulebooks.rulebook import Rulebook
from scoring.catalogue import Catalogue, CatalogueEntry

TerminologyType = Literal["CodeSystem", "ValueSet"]
BAND = "band"


class CodeList(NamedTuple):
    """Own codes with their displays: the options of a question, the bands, or all other results.

    `part` is the id of the question, `band`, or empty for results.
    """

    entry: CatalogueEntry
    part: str
    title: str
    displays: dict[str, str]
    urls: CanonicalUrls

    @property
    def path(self) -> str:
        """The end of the canonical URLs."""
        return f"{self.entry.instrument}/{self.part}" if self.part else self.entry.instrument

    @property
    def id(self) -> str:
        """The logical id."""
        return self.path.replace("/", "-").replace("_", "-")

    def url(self, resource_type: TerminologyType) -> str:
        """Return the canonical URL."""
        return self.urls.canonical_url(f"{resource_type}/{self.path}")

    def canonical(self, resource_type: TerminologyType) -> str:
        """Return the canonical URL with the version."""
        return f"{self.url(resource_type)}|{self.entry.version}"


def list_code_lists(catalogue: Catalogue, urls: CanonicalUrls) -> list[CodeList]:
    """Return every list of own codes, by instrument."""
    lists: dict[tuple[str, str], CodeList] = {}
    newest_first = sorted(
        (entry for entry in catalogue.entries if entry.status != "draft"),
        key=lambda entry: (entry.status == "active", entry.rulebook_name.version_numbers),
        reverse=True,
    )
    for entry in newest_first:
        rulebook = catalogue.find_version(entry.name).rulebook
        for part, title, displays in _list_parts(rulebook):
            newest = lists.setdefault(
                (entry.instrument, part), CodeList(entry, part, title, {}, urls)
            )
            for code, display in displays:
                newest.displays.setdefault(code, display)
    return sorted(lists.values(), key=lambda it: it.path)


def build_terminology(codes: CodeList, resource_type: TerminologyType) -> Resource:
    """Return the CodeSystem or the ValueSet of a list of codes."""
    concepts = [{"code": code, "display": display} for code, display in codes.displays.items()]
    resource: Resource = {
        "resourceType": resource_type,
        "id": codes.id,
        "url": codes.url(resource_type),
        "version": codes.entry.version,
        "name": codes.id.replace("-", " ").title().replace(" ", ""),
        "title": codes.title,
        "status": "active",
        "experimental": False,
        "date": codes.entry.released_on.isoformat(),
        "publisher": "nociscreen",
    }
    if resource_type == "ValueSet":
        include = {"system": codes.url("CodeSystem"), "concept": concepts}
        return resource | {"compose": {"include": [include]}}
    return resource | {
        "caseSensitive": True,
        "valueSet": codes.url("ValueSet"),
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }


def _list_parts(rulebook: Rulebook) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    title = rulebook.rulebook.title
    for question in rulebook.question:
        options = [(option.id, option.label) for option in question.options]
        if question.kind == "multi":
            options.append((NONE_OF_THESE, NONE_OF_THESE_TEXT))
        if options:
            yield question.id, f"{title}: {question.label}", options
    if rulebook.band:
        yield BAND, f"{title}: bands", [(band.id, band.label) for band in rulebook.band]
    yield "", f"{title}: results", list(_list_results(rulebook))


def _list_results(rulebook: Rulebook) -> Iterator[tuple[str, str]]:
    main = next((total for total in rulebook.total if total.banded), rulebook.total[0])
    for total in rulebook.total:
        yield total.id, total.label
    for end in ("least", "most"):
        yield f"{main.id}.{end}", f"{main.label}, at the {end}"
        yield f"{main.id}.band_{end}", f"{main.label}, band at the {end}"
    for criterion in rulebook.criterion:
        yield criterion.id, criterion.label
    if rulebook.tier:
        yield "safety", "Red flags"
        yield "tier.none", rulebook.wording.no_flag
    for tier in rulebook.tier:
        yield f"tier.{tier.id}", tier.label
    for flag in rulebook.flag:
        yield f"flag.{flag.id}", flag.label
    for reason in rulebook.no_band_reason:
        yield f"no_band.{reason.id}", "Why no band is given"
    for contradiction in rulebook.contradiction:
        yield f"contradiction.{contradiction.id}", "Contradiction"
    for alternative in rulebook.alternative:
        yield f"alternative.{alternative.id}", alternative.label
