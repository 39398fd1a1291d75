"""The rules that both generations of rulebooks share."""
