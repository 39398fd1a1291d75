"""Error responses: problems for every exception, and their description in OpenAPI."""
