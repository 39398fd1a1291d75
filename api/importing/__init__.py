"""Importing: answers that a clinic has already, out of CSV files of other tools."""
