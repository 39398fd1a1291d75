"""The store: all tables, encrypted by field, separated by organisation, with an audit trail."""
