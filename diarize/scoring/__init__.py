"""How right a result is. Knows no model."""
