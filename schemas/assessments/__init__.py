"""Assessments, and how two of them differ."""
