"""The sections of a report, each put into words from a part of the assessment."""
