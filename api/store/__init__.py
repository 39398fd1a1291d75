"""What is kept: the only tables; sealed by field, apart by organisation, every act audited."""
