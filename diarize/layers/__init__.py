"""Bricks that more than one model is built of, as plain functions and small modules."""
