"""The map in diarize/README.md, held to: a room imports what stands above it, or its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "diarize"
FLOORS = [  # a room sees only the floors written above its own
    {"errors"},
    {"config", "weights"},
    {"audio", "formats"},
    {"jobs", "scoring"},
    {"layers"},
    {"features", "codecs"},
    {"corpora"},
    {"models"},
    {"viz"},
    {"training"},
    {"inference"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: depth for depth, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"torch", "torchaudio", "sklearn", "speechbrain", "matplotlib", "pyannote", "silero_vad"}


def imported(path, top_only=False):
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_point_up_the_map(path):
    here = path.relative_to(PACKAGE).with_suffix("").parts
    if here[0] == "__init__":
        return
    for name in imported(path):
        there = name.split(".")[1:]
        if not name.startswith("diarize.") or there[0] == "__version__":
            continue
        if there[0] != here[0]:
            assert FLOOR[there[0]] < FLOOR[here[0]], f"{'/'.join(here)} may not import {name}"
        elif here[0] == "models" and len(here) > 2 and len(there) > 1:
            assert there[1] in (here[1], "contract"), f"{here[1]} may not import {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda p: p.name)
def test_the_command_line_loads_nothing_heavy_before_it_must(path):
    roots = {name.split(".")[0] for name in imported(path, top_only=True)}
    assert not roots & HEAVY, f"{path.name} imports {sorted(roots & HEAVY)} at its top"


def test_every_room_has_a_floor():
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"__init__"} <= set(FLOOR)
