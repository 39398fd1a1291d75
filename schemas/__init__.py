"""Words: the frozen shapes that travel between scoring, reports and the edge."""
