"""`diarize export lhotse|pyannote`: recordings of a manifest, as other tools list them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TOOLS = {
    "lhotse": "recordings.jsonl.gz, supervisions.jsonl.gz and cuts.jsonl.gz",
    "pyannote": "database.yml, a protocol of pyannote.database, with its lists, RTTM and UEM",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize export` takes to its parser."""
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    lhotse, pyannote = (tools.add_parser(name, help=told) for name, told in TOOLS.items())
    add = pyannote.add_argument
    add("--name", default="Mine", metavar="NAME", help="NAME.SpeakerDiarization.NAME (Mine)")
    add("--train", type=Path, metavar="MANIFEST", help="recordings of the training subset, too")
    add("--development", type=Path, metavar="MANIFEST", help="those of the development subset")
    for tool, what in ((lhotse, "recordings"), (pyannote, "recordings of the test subset")):
        tool.add_argument("manifest", type=Path, metavar="MANIFEST", help=f"{what}: .jsonl")
        tool.add_argument("out", type=Path, metavar="OUT", help="folder to write into")


def run(arguments: argparse.Namespace) -> int:
    """Export; print the path of each file that was written."""
    if arguments.tool == "lhotse":
        from diarize.corpora.lhotse_export import export_lhotse

        made = export_lhotse(arguments.manifest, arguments.out)
    else:
        from diarize.corpora.pyannote_export import export_pyannote

        named = {
            "train": arguments.train,
            "development": arguments.development,
            "test": arguments.manifest,
        }
        manifests = {subset: path for subset, path in named.items() if path is not None}
        made = export_pyannote(manifests, arguments.out, arguments.name)
    what = f"{made.n_recordings} recordings, {made.n_turns} turns"
    print(f"diarize export: {what}, in {arguments.out}", file=sys.stderr)
    print(*made.files, sep="\n")
    return 0
