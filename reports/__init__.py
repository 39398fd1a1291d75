"""Reports: an assessment becomes a view, then a document, then a file. Nothing is scored here."""
