"""The FHIR R4 API: translates between FHIR resources and screenings."""
