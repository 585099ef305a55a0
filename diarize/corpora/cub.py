"""Birds as images and captions: CUB-200-2011 in its own layout, captions of Reed and others.

Source: C. Wah and others, "The Caltech-UCSD Birds-200-2011 dataset", 2011; S. Reed and others,
"Learning deep representations of fine-grained visual descriptions", 2016 (the captions).
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64

from diarize.config import at_least
from diarize.corpora.chance import generator_of
from diarize.corpora.view_supply import ViewSupply
from diarize.corpora.view_tables import PARTS, TableSet, ViewTable, save_tables
from diarize.errors import BadCall, BadFile
from diarize.formats.text import read_text, save_text

ON_THE_FLY = frozenset(("batch", "part", "missing_share"))  # changes nothing that is prepared
UNKNOWN, PAD, END = "<exc>", "<pad>", "<eos>"
VOCABULARY = "vocabulary.txt"
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\sa-z0-9]")


@dataclass(frozen=True)
class CubSettings:
    """The `[data]` table of a conf whose corpus is CUB.

    `birds` is the folder of CUB-200-2011 with `images.txt`, `image_class_labels.txt` and `images/`;
    `captions` that of the captions, with a folder of text files a class, a line a caption. Each
    image of `side` pixels stands with each of its first `n_captions`: a datum. A caption is
    `length` words; of those said more than `least_said` times in training each has a number, all
    others share one.

    `clusters` is a text file with lines of a class number (from 1) and the number of its cluster
    (from 0): what is shared is the cluster, and classes without one are left out. Without it, the
    class is. Images of each are shared out by chance: `dev_share` and `test_share` of them, the
    rest for training. `directions`, lines of an image number and 0 or 1, says where birds face,
    what is the image's own; of other images it is not known.
    """

    corpus: Literal["cub"] = "cub"
    birds: Path = Path("CUB_200_2011")
    captions: Path = Path("text_c10")
    clusters: Path | None = None
    directions: Path | None = None
    side: int = 64
    n_captions: int = 10
    length: int = 32
    least_said: int = 3
    dev_share: float = 0.15
    test_share: float = 0.15
    seed: int = 2
    part: Literal["train", "dev", "test"] = "train"
    batch: int = 256
    missing_share: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, side=8, n_captions=1, length=2, least_said=0, batch=2, seed=0)
        if min(self.dev_share, self.test_share) < 0 or self.dev_share + self.test_share >= 1:
            raise BadCall(
                f"dev_share = {self.dev_share}, test_share = {self.test_share}; expected 0 or "
                "more, under 1 together"
            )
        if not 0 <= self.missing_share < 1:
            raise BadCall(f"missing_share = {self.missing_share}; expected 0 or more, under 1")

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        settings = dataclasses.asdict(self)
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in settings.items()
            if name not in ON_THE_FLY
        }


class CubSet(TableSet):
    """The images and captions of one part; images take three planes in 0 to 1."""


class CubSupply(ViewSupply):
    """Batches of images and captions."""

    settings_type = CubSettings
    opens = CubSet


@dataclass(frozen=True)
class Bird:
    """An image, where it lies, what it shows, and what is said of it."""

    number: int
    path: Path
    group: int
    direction: int
    captions: tuple[tuple[str, ...], ...]


def prepare_cub(folder: Path | str, settings: CubSettings) -> Path:
    """Prepare all parts in `folder`; return the summary's path.

    Raises:
        BadFile: a file of the layout is missing, broken, or tells of what is not there.
    """
    birds = read_birds(settings)
    parts = _shared_out(birds, settings)
    words = vocabulary(
        (caption for bird in parts["train"] for caption in bird.captions), settings.least_said
    )
    numbers = {word: number for number, word in enumerate(words)}
    tables = {part: _table(parts[part], numbers, settings) for part in PARTS}
    labels = {"cluster" if settings.clusters else "class": max(bird.group for bird in birds) + 1}
    if settings.directions:
        labels["direction"] = 2
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_text(folder / VOCABULARY, "".join(f"{word}\n" for word in words))
    sizes = [3 * settings.side**2, settings.length]
    facts = {"labels": labels, "view_sizes": sizes, "n_words": len(words)}
    return save_tables(folder, tables, settings, facts)


def read_birds(settings: CubSettings) -> list[Bird]:
    """All images with a group, in the order of `images.txt`.

    Raises:
        BadFile: as of `prepare_cub`.
    """
    names = _pairs(settings.birds / "images.txt")
    classes = _numbers(settings.birds / "image_class_labels.txt")
    clusters = _numbers(settings.clusters) if settings.clusters else {}
    directions = _numbers(settings.directions) if settings.directions else {}
    birds = []
    for number, name in names.items():
        if number not in classes:
            raise BadFile(f"{settings.birds}/image_class_labels.txt: no class of image {number}")
        group = clusters.get(classes[number], -1) if settings.clusters else classes[number] - 1
        if group < 0:
            continue
        path = settings.birds / "images" / name
        said = _captions(settings.captions / Path(name).with_suffix(".txt"), settings)
        birds.append(Bird(number, path, group, directions.get(number, -1), said))
    if not birds:
        raise BadFile(f"{settings.birds}: no image of any cluster")
    return birds


def words_of(caption: str) -> tuple[str, ...]:
    """The words and marks of a caption, in small letters.

    >>> words_of("A bird's wing, red.")
    ('a', "bird's", 'wing', ',', 'red', '.')
    """
    return tuple(_WORD.findall(caption.lower()))


def vocabulary(captions: Iterable[tuple[str, ...]], least_said: int) -> tuple[str, ...]:
    """The words that have a number, the three special ones first, then as they first came.

    >>> vocabulary([("red", "red", "wing")], 1)
    ('<exc>', '<pad>', '<eos>', 'red')
    """
    counts = Counter(word for caption in captions for word in caption)
    return (UNKNOWN, PAD, END, *(word for word, count in counts.items() if count > least_said))


def encoded(
    caption: tuple[str, ...], numbers: Mapping[str, int], length: int
) -> Int64[np.ndarray, " word"]:
    """The numbers of a caption's words, an end, and filling up to `length`."""
    words = [*caption[: length - 1], END]
    words += [PAD] * (length - len(words))
    return np.array([numbers.get(word, numbers[UNKNOWN]) for word in words], np.int64)


def _table(birds: list[Bird], numbers: Mapping[str, int], settings: CubSettings) -> ViewTable:
    rows, truths, names = [], [], []
    for bird in birds:
        image = _image(bird.path, settings.side).reshape(-1)
        for place, caption in enumerate(bird.captions):
            words = encoded(caption, numbers, settings.length)
            rows.append(np.concatenate([image, words.astype(np.float32)]))
            truth = [bird.group]
            if settings.directions:
                truth += [bird.direction, -1]  # a caption does not face anywhere
            truths.append(truth)
            names.append(f"{bird.number} {place}")
    n_values = 3 * settings.side**2 + settings.length
    n_columns = 3 if settings.directions else 1
    return ViewTable(
        np.array(rows, np.float32).reshape(len(rows), n_values),
        np.array(truths, np.int64).reshape(len(rows), n_columns),
        tuple(names),
    )


def _shared_out(birds: list[Bird], settings: CubSettings) -> dict[str, list[Bird]]:
    """The birds of each part: of each group as many as can be."""
    chance = generator_of(settings.seed, "cub")
    parts: dict[str, list[Bird]] = {part: [] for part in PARTS}
    for group in sorted({bird.group for bird in birds}):
        own = [bird for bird in birds if bird.group == group]
        order = [own[place] for place in chance.permutation(len(own))]
        n_dev = round(settings.dev_share * len(own))
        n_test = round(settings.test_share * len(own))
        parts["dev"] += order[:n_dev]
        parts["test"] += order[n_dev : n_dev + n_test]
        parts["train"] += order[n_dev + n_test :]
    return {part: sorted(some, key=lambda bird: bird.number) for part, some in parts.items()}


def _image(path: Path, side: int) -> Float32[np.ndarray, "3 row column"]:
    """The largest square in the middle of an image, at another size, 0 to 1."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            colours = image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise BadFile(f"{path}: no image ({error})") from None
    wide, high = colours.size
    short = min(wide, high)
    left, top = (wide - short) // 2, (high - short) // 2
    square = colours.crop((left, top, left + short, top + short)).resize((side, side))
    return np.moveaxis(np.asarray(square, np.float32) / 255, -1, 0)


def _captions(path: Path, settings: CubSettings) -> tuple[tuple[str, ...], ...]:
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    if len(lines) < settings.n_captions:
        raise BadFile(f"{path}: {len(lines)} captions; n_captions = {settings.n_captions}")
    return tuple(words_of(line) for line in lines[: settings.n_captions])


def _pairs(path: Path) -> dict[int, str]:
    """The number and the word of each line."""
    found: dict[int, str] = {}
    for place, line in enumerate(read_text(path).splitlines(), 1):
        number, _, word = line.strip().partition(" ")
        if not number.isdecimal() or not word.strip() or int(number) in found:
            raise BadFile(f"{path}: line {place} is {line!r}; expected a new number and a name")
        found[int(number)] = word.strip()
    return found


def _numbers(path: Path) -> dict[int, int]:
    """The same, of two numbers."""
    found = _pairs(path)
    for number, word in found.items():
        if not word.isdecimal():
            raise BadFile(f"{path}: {word!r} of {number}; expected a number from 0")
    return {number: int(word) for number, word in found.items()}
