"""Points as Polars expressions: criteria, sums, and the bands that the sums reach."""
