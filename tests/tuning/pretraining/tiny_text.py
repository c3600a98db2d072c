"""A model of a few thousand weights and a text of made-up words, for tests of training."""

from pathlib import Path

from fedprompt.corpora.preparing import Corpus
from fedprompt.tuning.pretraining.building import built, fresh_config
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.settings import PretrainSettings
from fedprompt.tuning.schedule import Schedule
from tests.corpora.words import Words, prepared, sentences

SHAPE = {"layers": 2, "width": 16, "heads": 2, "feed_forward": 32}
VOCABULARY, WINDOW = 2048, 32


def tiny_model(seed: int = 0) -> FlatModel:
    """Return a fresh model; what it is follows from the seed."""
    return built(Path(), fresh_config(SHAPE, VOCABULARY, 0, WINDOW), seed)


def tiny_corpus(folder: Path, seed: int = 0, texts: int = 80, words: Words | None = None) -> Corpus:
    """Return a prepared text of documents of forty words."""
    place = folder / f"texts-{seed}"
    place.mkdir(parents=True)
    for number, text in enumerate(sentences(texts, seed)):
        (place / f"{number}.txt").write_text(text)
    return prepared([place], folder / "kept", words)


def tiny_settings(steps: int = 6, batch: int = 4, **more: object) -> PretrainSettings:
    """Return settings with a cosine over twelve steps."""
    schedule = Schedule("cosine", 2, 12)
    return PretrainSettings(steps, batch, WINDOW, 3e-3, schedule, seed=7, **more)  # type: ignore[arg-type]
