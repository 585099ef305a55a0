"""`diarize import lhotse|pyannote`: recordings that others list, listed as all stages read them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TOOLS = {
    "lhotse": "recordings and supervisions, or cuts: .jsonl or .jsonl.gz",
    "pyannote": "a protocol of pyannote.database",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize import` takes to its parser."""
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    lhotse, pyannote = (tools.add_parser(name, help=told) for name, told in TOOLS.items())
    add = lhotse.add_argument
    add("--recordings", type=Path, metavar="FILE", help="a RecordingSet")
    add("--supervisions", type=Path, metavar="FILE", help="its SupervisionSet: who spoke when")
    add("--cuts", type=Path, metavar="FILE", help="a CutSet in place of both; cuts become the UEM")
    add("--channel", metavar="N", help="of recordings of several channels: one, or mix")
    add("--root", type=Path, metavar="DIR", help="where relative paths of audio start")
    add = pyannote.add_argument
    add("database", type=Path, metavar="DATABASE.YML", help="where the protocol is defined")
    add("protocol", metavar="PROTOCOL", help="such as AMI.SpeakerDiarization.mini")
    add("--subset", default="test", metavar="S", help="train, development or test (default)")
    for tool in (lhotse, pyannote):
        where = "folder for manifest.jsonl, ref.rttm and all.uem"
        tool.add_argument("out", type=Path, metavar="OUT", help=where)


def run(arguments: argparse.Namespace) -> int:
    """Import; print the manifest's path."""
    from diarize.corpora.lhotse_import import LhotseImport, import_lhotse
    from diarize.corpora.pyannote_import import ProtocolImport, import_protocol

    if arguments.tool == "lhotse":
        channel = arguments.channel
        told = LhotseImport(
            arguments.recordings,
            arguments.supervisions,
            arguments.cuts,
            int(channel) if channel and channel.isdecimal() else channel,
            arguments.root,
        )
        made = import_lhotse(told, arguments.out)
    else:
        asked = ProtocolImport(arguments.database, arguments.protocol, arguments.subset)
        made = import_protocol(asked, arguments.out)
    for note in made.notes:
        print(f"diarize import: {note}", file=sys.stderr)
    what = f"{made.n_recordings} recordings, {made.duration_s / 3600:.2f} h"
    print(f"diarize import: {what}, in {made.manifest.parent}", file=sys.stderr)
    print(made.manifest)
    return 0
