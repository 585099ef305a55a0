"""A table of words, before anybody has decided what it is to look like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A table still without lines: a title, a header, and rows of as many cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def aligned(grid: Grid) -> list[str]:
    """Return header and rows as lines of plain text: the first column left, the others right.

    >>> aligned(Grid("", ("set", "n"), (("K2", "100"),)))
    ['set    n', 'K2   100']
    """
    lines = [grid.header, *grid.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(_padded(line, widths)).rstrip() for line in lines]


def markdown(grid: Grid) -> str:
    """Return the table's lines in Markdown, padded so that they align as plain text too."""
    lines = [tuple(cell.replace("|", "\\|") for cell in line) for line in (grid.header, *grid.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [_padded(line, widths) for line in lines]
    padded.insert(1, rule)
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def _padded(line: tuple[str, ...], widths: list[int]) -> list[str]:
    first = line[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
    return [first, *rest]
