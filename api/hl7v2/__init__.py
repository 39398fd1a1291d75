"""HL7 v2.5.1: screenings as messages, messages as what they ask for. Translation only."""
