"""The pages of practitioners: who is let in, and what each page shows."""
