"""What is prepared of MNIST, and of letters, before anything is trained: who may see which image.

Test images come from MNIST's test part (and from faces of type kept for testing) alone; dev images
are kept out of all training. In the folder:

    experts.safetensors      images and labels for the experts
    mixing.safetensors       images for mixtures; their labels are for making mixtures only
    dev_digits, test_digits  single images with labels
    dev_K2, test_K2 ...      mixtures of so many glyphs, without noise
    test_bernoulli           mixtures of the paper's generator, with noise
    summary.json             settings, numbers, and the sha256 of the files of MNIST; written last
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diarize.corpora.chance import generator_of
from diarize.corpora.digit_mixtures import ImagePool, draw_pattern, save_mixtures
from diarize.corpora.digit_settings import DigitSettings
from diarize.corpora.letters import LETTERS, rendered_letters
from diarize.corpora.mnist import Digits, content_hashes, read_mnist
from diarize.corpora.prepared import begin, finish
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadFile

BERNOULLI_PRESENCE = 0.1  # the paper's generator, whatever is trained on
BERNOULLI_NOISE_SCALE = 0.1


@dataclass(frozen=True)
class DigitParts:
    """The images of each use; labels are streams."""

    experts: Digits
    mixing: Digits
    dev: Digits
    test: Digits


def prepare_digits(folder: Path | str, settings: DigitSettings) -> Path:
    """Prepare all sets in `folder`, where the files of MNIST lie; return the summary's path.

    The same settings and files make the same bytes.

    Raises:
        BadFile: MNIST is not there or not sound, has no image of a class or too few to share out,
            or the folder cannot be written.
    """
    folder = Path(folder)
    parts = split_digits(folder, settings)
    begin(folder)
    counts = {}
    named = {"experts": parts.experts, "mixing": parts.mixing}
    named |= {"dev_digits": parts.dev, "test_digits": parts.test}
    for name, digits in named.items():
        if not len(digits):  # nothing was to be kept out
            (folder / f"{name}.safetensors").unlink(missing_ok=True)
            continue
        arrays = {"images": digits.images, "labels": digits.labels}
        save_tensors(folder / f"{name}.safetensors", arrays)
        counts[name] = np.bincount(digits.labels, minlength=settings.n_streams).tolist()
    mixtures = _save_sets(folder, parts, settings)
    for path in folder.glob("*_K*.safetensors"):
        if path.stem not in mixtures:  # of an earlier preparation, by other settings
            path.unlink()
    return finish(
        folder,
        settings,
        streams=settings.streams,
        images=counts,
        mixtures=mixtures,
        mnist_sha256=content_hashes(folder) if settings.classes else {},
    )


def read_images(path: Path | str) -> Digits:
    """The images of one of the files above, with their labels (the number of the stream).

    Raises:
        BadFile: there is no such file, or it is another.
    """
    arrays, _ = read_tensors(path, ("images", "labels"))
    if len(arrays["images"]) != len(arrays["labels"]):
        raise BadFile(f"{path}: not as many labels as images; run diarize prepare again")
    return Digits(arrays["images"], arrays["labels"])


def split_digits(folder: Path | str, settings: DigitSettings) -> DigitParts:
    """The images of each use, sorted by stream, in an order of chance within it.

    Raises:
        BadFile: as of `prepare_digits`.
    """
    uses: dict[str, list[np.ndarray]] = {"experts": [], "mixing": [], "dev": [], "test": []}
    for train, dev, test in _of_streams(Path(folder), settings):
        n_labelled = int(settings.labelled_share * len(train))
        glyph = settings.streams[len(uses["test"])]
        reuse = settings.reuse_labelled or settings.labelled_share == 1
        mixing = train if reuse else train[n_labelled:]
        if not n_labelled or not len(mixing) or not len(test):
            raise BadFile(
                f"{folder}: {len(train)} training and {len(test)} test images of {glyph!r} are too "
                f"few; of a share of {settings.labelled_share:g} experts, mixtures and tests all "
                "need one"
            )
        parts = {"experts": train[:n_labelled], "mixing": mixing, "dev": dev, "test": test}
        for use, images in parts.items():
            uses[use].append(images)
    return DigitParts(**{use: _joined(images) for use, images in uses.items()})


def _of_streams(
    folder: Path, settings: DigitSettings
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each stream its images to train on, in an order of chance, to choose on, to test on."""
    made = []
    if settings.classes:
        train, test = read_mnist(folder, "train"), read_mnist(folder, "t10k")
        for digit in settings.classes:
            images, tested = (part.images[part.labels == digit] for part in (train, test))
            for part, found in (("train", images), ("test", tested)):
                if not len(found):
                    raise BadFile(f"{folder}: MNIST's {part} part has no image of a {digit}")
            images = images[generator_of(settings.seed, "split", digit).permutation(len(images))]
            n_dev = int(settings.dev_share * len(images))
            made.append((images[n_dev:], images[:n_dev], tested))
    for letter in LETTERS[: settings.n_letters]:
        n_train = settings.letter_images
        n_dev = int(settings.dev_share * n_train)
        made.append(
            (
                rendered_letters(letter, n_train, "train", settings.seed),
                rendered_letters(letter, n_dev, "dev", settings.seed),
                rendered_letters(letter, n_train // 2, "test", settings.seed),
            )
        )
    return made


def _joined(of_streams: list[np.ndarray]) -> Digits:
    sizes = [len(images) for images in of_streams]
    return Digits(np.concatenate(of_streams), np.repeat(np.arange(len(sizes)), sizes))


def _save_sets(folder: Path, parts: DigitParts, settings: DigitSettings) -> dict[str, object]:
    """Write the sets of mixtures; return what the summary tells of each."""
    n_streams = settings.n_streams
    pools = {"test": ImagePool(parts.test.images, parts.test.labels, n_streams)}
    if len(parts.dev):
        pools["dev"] = ImagePool(parts.dev.images, parts.dev.labels, n_streams)
    told: dict[str, object] = {}

    def save(name: str, use: str, presence: float | list[float], noise_scale: float) -> None:
        chance = generator_of(settings.seed, "set", name)
        pattern = draw_pattern(settings.n_test_mixtures, n_streams, presence, chance)
        index = pools[use].draw(pattern, chance)
        facts = {"noise_scale": noise_scale, "noise_seed": int(chance.integers(2**62))}
        told[name] = {"mixtures": len(pattern), **facts}
        words = {key: str(value) for key, value in facts.items()}
        words["streams"] = " ".join(settings.streams)
        save_mixtures(folder / f"{name}.safetensors", pools[use], index, pattern, words)

    _each_set(settings, tuple(pools), save)
    return told


def _each_set(
    settings: DigitSettings,
    uses: tuple[str, ...],
    save: Callable[[str, str, float | list[float], float], None],
) -> None:
    for use in uses:
        for count in settings.test_counts:
            save(f"{use}_K{count}", use, [0.0] * count + [1.0], 0.0)
    save("test_bernoulli", "test", BERNOULLI_PRESENCE, BERNOULLI_NOISE_SCALE)
