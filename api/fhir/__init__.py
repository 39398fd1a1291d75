"""FHIR R4: translation only."""
