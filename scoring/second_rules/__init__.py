"""The second generation of scoring rules: what is certain counts, and more than points is said.

Asked for by `scoring_rules = 2` in a rulebook's header.
"""
