"""Rulebooks as data: questions, conditions, weights, guidance, translations."""
