"""Batches: columns, row problems, progress and cohorts."""
