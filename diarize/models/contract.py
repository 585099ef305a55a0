"""What every model room promises, and what passes between a model and its users."""

from diarize.formats.activity import Activity

__all__ = ["Activity"]
