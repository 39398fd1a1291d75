"""Edge: HTTP, tokens and the command line. Knows nothing of pain."""
