"""Imports answers that a clinic already has, from CSV files of other tools."""
