"""The first generation of scoring rules: what every rulebook gets that asks for nothing newer."""
