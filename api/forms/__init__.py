"""Forms that a patient fills in under a link: their model, progress, pages and red-flag advice."""
