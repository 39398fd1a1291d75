"""Answers and assessments carried from one version of a rulebook to another."""
