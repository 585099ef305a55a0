"""The corpora of real recordings, by name, each loaded when it is asked for.

Each has settings (the `[data]` table), a way to be fetched, or to be told what to put where, and a
way to be checked and listed, as `corpora.recordings` lists them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diarize.config import build
from diarize.corpora.download import Progress, quiet
from diarize.corpora.fetching import FetchedCorpus
from diarize.corpora.recordings import Prepared
from diarize.errors import BadCall

ROOM = "diarize.corpora."
SETTINGS = {
    "ami": "ami:AmiSettings",
    "voxconverse": "voxconverse:VoxConverseSettings",
    "callhome": "callhome:CallhomeSettings",
    "folder": "folder:FolderSettings",
}
PREPARERS = {
    "ami": "ami:prepare_ami",
    "voxconverse": "voxconverse:prepare_voxconverse",
    "callhome": "callhome:prepare_callhome",
    "folder": "folder:prepare_folder",
}
FETCHERS = {  # from their own sites
    "ami": "ami_fetching:fetch_ami",
    "voxconverse": "voxconverse_fetching:fetch_voxconverse",
}
GIVEN = {"callhome": "callhome:fetch_callhome", "folder": "folder:fetch_folder"}  # by the user
IN_PARTS = ("ami", "voxconverse")


def prepare_recorded(
    corpus: str, folder: Path, settings: Mapping[str, Any], where: str, only: str | None = None
) -> Prepared:
    """Check the recordings of `corpus` and list them in `folder`; `where` names the settings.

    `only` is one part, listed in a folder of its own: `folder/PART`.

    Raises:
        BadCall: no such corpus or part.
        BadFile: settings that cannot be used, or recordings that cannot: all by id.
    """
    made = _settings(corpus, settings, where, [only] if only else None)
    prepared: Prepared = _named(PREPARERS, corpus)(folder, made, folder / only if only else None)
    return prepared


def fetch_recorded(
    corpus: str,
    folder: Path,
    settings: Mapping[str, Any],
    where: str,
    offline: bool = False,
    progress: Progress = quiet,
) -> FetchedCorpus:
    """Get what is missing of `corpus` into `folder`, where its licence allows that.

    Beside what a conf may say, `settings` may have `also`: parts to get too.

    Raises:
        BadCall: no such corpus.
        BadFile: settings that cannot be used, or recordings that are not there; it says which, and
            for corpora that are not fetched what to put where.
    """
    plain = {key: value for key, value in settings.items() if key != "also"}
    made = _settings(corpus, plain, where)
    if "also" in settings:
        more = _settings(corpus, plain, where, settings["also"]).parts
        made = replace(made, parts=tuple(dict.fromkeys((*made.parts, *more))))
    if corpus in GIVEN:
        fetched: FetchedCorpus = _named(GIVEN, corpus)(folder, made)
    else:
        fetched = _named(FETCHERS, corpus)(folder, made, offline, progress)
    return fetched


def _settings(
    corpus: str, settings: Mapping[str, Any], where: str, parts: list[str] | None = None
) -> Any:
    if parts is not None:
        if corpus not in IN_PARTS:
            raise BadCall(f"{corpus} is not in parts; those in parts are {', '.join(IN_PARTS)}")
        settings = {**settings, "parts": parts}
    return build(_named(SETTINGS, corpus), settings, where)


def _named(paths: Mapping[str, str], name: str) -> Any:
    if name not in paths:
        raise BadCall(f"no corpus {name!r} of recordings; there are {', '.join(paths)}")
    module, attribute = paths[name].split(":")
    return getattr(importlib.import_module(ROOM + module), attribute)
