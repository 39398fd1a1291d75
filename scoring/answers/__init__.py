"""From answers to facts: dependencies between questions, neutral answers, derived values."""
