"""The pages of practitioners: login, sessions and the content of each page."""
