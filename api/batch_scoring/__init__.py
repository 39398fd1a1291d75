"""Batches: files of intakes in, files of results out; the work itself is done by columns."""
