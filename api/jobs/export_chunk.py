"""Builds the FHIR resources of a chunk of a Bulk Data export."""

import json
from contextlib import suppress
from datetime import datetime

from api.fhir.bulk_export import build_files, pack_files
from api.fhir.elements import CanonicalUrls
from api.fhir.versions import build_version
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.batches.chunks import SET_ASIDE, ChunkOutcome, ClaimedChunk
from api.store.errors import NotFoundError
from api.store.screenings.versions import list_versions
from api.store.store import Store
from api.store.transaction import Actor
from scoring.catalogue import Catalogue


def export_resources(
    store: Store, rulebooks: Catalogue, urls: CanonicalUrls, task: ClaimedChunk, tries: int
) -> ChunkOutcome:
    """Build the resources of a chunk; screenings that were erased since are left out."""
    options = task.batch.options
    if task.tries > tries:
        return ChunkOutcome({"counts": {}}, pack_files({}), SET_ASIDE)
    lineages = []
    actor = Actor(options["organisation"], SERVICE_ACTOR.id, SERVICE_ACTOR.means)
    with store.continue_read(actor) as work:
        for screening_id in json.loads(task.content.parts[0]):
            with suppress(NotFoundError):
                lineages.append(list_versions(work, screening_id))
    since = datetime.fromisoformat(options["since"]) if options["since"] else None
    versions = [build_version(lineage, rulebooks, urls) for lineage in lineages]
    files = build_files(versions, rulebooks, options["types"], since)
    counts = {name: len(lines) for name, lines in files.items()}
    return ChunkOutcome({"counts": counts}, pack_files(files))
