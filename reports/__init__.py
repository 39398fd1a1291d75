"""Paper: one view of an assessment, then each format. Does no sums and knows no weights."""
