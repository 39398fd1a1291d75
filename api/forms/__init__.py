"""Pages for people in a browser: templates, words, a style sheet, and what keeps the pages safe."""
