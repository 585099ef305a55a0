"""Training any model of the contract: killed at any moment, it goes on to the same numbers."""
