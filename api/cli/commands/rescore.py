"""`nociscreen rescore`: report on stored screenings under another version, or replay them."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import build_operator, fail, open_configured_store, print_json, print_note

if TYPE_CHECKING:
    from schemas.assessments.rescoring import RescoringReport
    from scoring.compiled_rulebook import LoadedRulebook

SOME_DIFFER = 1
SHOWN_SCREENINGS = 50


def rescore(  # noqa: PLR0913 - Typer passes each option as a parameter
    from_version: Annotated[
        str | None, typer.Option("--from", help="The version of the stored screenings.")
    ] = None,
    to_version: Annotated[
        str | None, typer.Option("--to", help="The other version; it need not be released.")
    ] = None,
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", help="The organisation; with --verify, default: all."),
    ] = None,
    instrument: Annotated[str, typer.Option(help="The instrument.")] = "nociplastic",
    *,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Replay every stored screening under its own version instead."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Report what stored screenings would become under another version; nothing is changed.

    With --verify, score every stored screening again under its own version: exit status 1 if an
    assessment is not the same byte for byte.
    """
    if verify:
        _verify(organisation)
        return
    if from_version is None or to_version is None or organisation is None:
        fail("--from, --to and --organisation are required, or --verify")
    old, new = (_load_version(instrument, version) for version in (from_version, to_version))
    report = _report(old, new, organisation)
    if json:
        print_json(report)
    else:
        _print_report(report)


def _report(old: "LoadedRulebook", new: "LoadedRulebook", organisation: str) -> "RescoringReport":
    from api.intakes.rescoring_report import report_rescoring
    from scoring.catalogue import RulebookError
    from scoring.versions.answer_changes import UnknownChangesError, load_carrier

    try:
        load_carrier(old, new)
    except (UnknownChangesError, RulebookError) as error:
        fail(f"--to: {error}")
    with open_configured_store() as store:
        return report_rescoring(store, build_operator(organisation), old, new)


def _load_version(instrument: str, version: str) -> "LoadedRulebook":
    """Return a version from the index, or from its file before its release."""
    from schemas.rulebooks.rulebook_name import RulebookName
    from scoring.catalogue import (
        RULEBOOKS_FOLDER,
        RulebookError,
        UnknownRulebookError,
        load_catalogue,
        read_rulebook,
    )

    name = RulebookName(instrument, version)
    try:
        return load_catalogue().find_version(str(name))
    except UnknownRulebookError:
        files = {file.stem: file for file in (RULEBOOKS_FOLDER / instrument).glob("*.toml")}
    if version not in files:
        fail(f"there is no rulebook {name}")
    try:
        return read_rulebook(files[version], with_trials=False)
    except RulebookError as error:
        fail(str(error))


def _verify(organisation: str | None) -> None:
    from collections import Counter

    from api.intakes.rescoring_report import find_replay_faults
    from api.store.accounts import organisations
    from schemas.assessments.rescoring import ReplayReport
    from scoring.catalogue import load_catalogue

    screening_counts: Counter[str] = Counter()
    with open_configured_store() as store:
        with store.read_all_organisations() as session:
            organisation_ids = [row.id for row in organisations.list_organisations(session)]
        if organisation is not None and organisation not in organisation_ids:
            fail("no organisation with this id")
        faults = tuple(
            fault
            for owner in ([organisation] if organisation else organisation_ids)
            for fault in find_replay_faults(
                store, build_operator(owner), load_catalogue(), screening_counts
            )
        )
    print_json(ReplayReport(screenings=screening_counts.total(), faults=faults))
    if faults:
        print_note(
            f"{len(faults)} of {screening_counts.total()} assessments do not come out the same"
        )
        raise typer.Exit(SOME_DIFFER)


def _print_report(report: "RescoringReport") -> None:
    typer.echo(
        f"{report.screenings} screenings in force by {report.from_rulebook}: "
        f"{report.changed_results} would have another status, tier, band or flag by "
        f"{report.to_rulebook}"
    )
    for title, counts in (
        ("status", report.status),
        ("tier", report.tier),
        ("band", report.band),
        ("flags no longer raised", report.lost_flags),
        ("flags newly raised", report.new_flags),
        ("criteria with other points", report.criteria),
        ("to be asked again", report.ask_again),
    ):
        if counts:
            typer.echo(f"{title}: " + ", ".join(f"{name} ({n})" for name, n in counts.items()))
    for line in report.changed[:SHOWN_SCREENINGS]:
        differences = line.differences
        parts = [
            f"{name} {change.before or 'none'} > {change.after or 'none'}"
            for name in ("status", "tier", "band")
            if (change := getattr(differences, name)).before != change.after
        ]
        parts += [f"-{flag}" for flag in differences.lost_flags]
        parts += [f"+{flag}" for flag in differences.new_flags]
        if differences.criteria:
            parts.append(f"criteria {' '.join(differences.criteria)}")
        typer.echo(f"{line.screening}: " + "; ".join(parts))
    if len(report.changed) > SHOWN_SCREENINGS:
        typer.echo(f"and {len(report.changed) - SHOWN_SCREENINGS} more; --json lists all")
