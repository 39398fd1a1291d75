"""HTML pages in general: templates, texts, static files and the protection of forms."""
