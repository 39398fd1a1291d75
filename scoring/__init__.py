"""Meaning: from a rulebook and answers to an assessment. Pure; knows how to weigh, never what."""
