"""Issuing: a kept screening read for its report, and the report kept as it is sent."""

from api.acts import Acts
from api.papers import Told
from api.store import earlier, screenings
from api.store import reports as issued
from reports.formats import Written


def told(acts: Acts, screening: str) -> Told:
    """The screening, what it corrects and is corrected by, and the patient's earlier ones.

    Raises Problem `not_found`.
    """
    with acts.transaction() as work:
        found = screenings.found(work, screening)
        before, after = (
            screenings.found(work, each) if each else None
            for each in (found.replaces, found.replaced_by)
        )
        trend = earlier.before(work, found)
        work.audit("read", "screening", screening, count=1 + len(trend))
    return Told(found, before, after, trend)


def issue(acts: Acts, screening: str, made: Written) -> Written:
    """Keep the document as it is sent; Problem `not_found` where it was erased meanwhile."""
    with acts.transaction() as work:
        issued.issue(work, screening, made.media_type, made.content)
        work.audit("report", "screening", screening)
    return made
