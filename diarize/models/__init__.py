"""The rooms of the five models, and the contract they share."""
