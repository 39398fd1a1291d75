"""Batch scoring: reads files of intakes, scores them by columns and writes files of results."""
