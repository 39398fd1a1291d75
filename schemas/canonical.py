"""Names the base of the project's canonical URLs, the same at every installation."""

CANONICAL_BASE = "https://w3id.org/nociscreen"
"""Canonical URLs and code systems of FHIR begin with it; it has no slash at its end."""
