"""Arrays in a safetensors file: written whole, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from diarize.errors import BadFile
from diarize.formats.whole import whole

FACTS = "facts"  # the one word of metadata


def save_tensors(
    path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, str] | None = None
) -> None:
    """Write the arrays, and facts about them, to `path` whole or not at all.

    The same arrays and facts give the same bytes.

    Raises:
        BadFile: the folder or the disk does not allow it.
    """
    told = json.dumps(dict(facts or {}), sort_keys=True)  # one word: of several the order varies
    tidy = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with whole(path) as unfinished:
        # save_file would keep the file from all but its owner, whatever the umask
        unfinished.write_bytes(save(tidy, metadata={FACTS: told}))


def read_tensors(
    path: Path | str, names: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays called `names` in a file of `save_tensors`, and the facts about them.

    Raises:
        BadFile: there is no such file, it is broken, or it lacks one of them.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            missing = [name for name in names if name not in set(file.keys())]
            if missing:
                raise BadFile(f"{path}: no array {missing[0]!r} in it; run diarize prepare again")
            facts = json.loads((file.metadata() or {}).get(FACTS, "{}"))
            return {name: file.get_tensor(name) for name in names}, facts
    except BadFile:
        raise
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file; run diarize prepare first") from None
    except (OSError, ValueError, SafetensorError) as error:
        raise BadFile(f"{path}: not a whole file of arrays ({error})") from None
