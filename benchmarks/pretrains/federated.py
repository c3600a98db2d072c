"""Four sites train together, in step or far apart, and each alone: what it does to the perplexity of held-out text."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pretrains.text import SITES, WARM, tokenizer_of
from fedprompt.corpora.preparing import Corpus
from fedprompt.site.folder import SiteFolder
from fedprompt.site.pretraining import settings_of
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.lm_loss import LMLoss
from fedprompt.tuning.pretraining.loop import FlatAdamW, rows_of, train
from fedprompt.tuning.pretraining.perplexity import held_out_loss
from fedprompt.tuning.pretraining.settings import PretrainSettings
from fedprompt.workspace.home import find_home
from fedprompt.workspace.rounds.pretraining import pretrain
from fedprompt.workspace.rounds.pretraining_base import base_of, spec_of
from fedprompt.workspace.rounds.pretraining_site import prepare_text
from fedprompt.workspace.workspace import open_workspace

__all__ = ["Compared", "Shape", "compare", "made_home", "write_start"]

MACHINE = '{"dtype": "float32", "threads": 1, "device": "cpu"}'


@dataclass(frozen=True)
class Shape:
    """The model and the training; ``local`` steps a round, ``warm`` steps before the sites begin."""

    scratch: Mapping[str, int]
    vocabulary: int
    window: int
    batch: int
    local: int
    rounds: int
    warm: int
    looked_at: int
    lr: float

    def study(self, name: str, model: Path, *, fresh: bool = False, update: str = "float32", rounds: int = 0) -> str:
        """Return a study's text."""
        shape = f", scratch: {dict(self.scratch)}".replace("'", "") if fresh else ""
        count = rounds or self.rounds
        return (
            f"study: {name}\nmodel: {model}\npretraining: {{window: {self.window}, batch: {self.batch}, steps: "
            f"{self.warm if fresh else self.local}, lr: {self.lr}, warmup: 10, held_out: 0.05, looked_at: "
            f"{self.looked_at}{shape}}}\nrounds: {{count: {count}, scored: 1, update: {update}, strategy: "
            f"{{name: {'fedavg' if fresh else 'diloco'}}}}}\n"
        )


@dataclass(frozen=True)
class Compared:
    """Perplexities over all sites' held-out text; ``alone`` also by site: its own text, and the mean of the others'.

    ``bytes``: way -> bytes that sites sent. ``seconds``: way -> time.
    """

    seed: int
    start: float
    together: float
    synchronous: float
    alone: float
    at_home: Mapping[str, tuple[float, float, float]]  # site -> start, alone, together
    elsewhere: Mapping[str, tuple[float, float]]  # site -> alone, together, on the others' text
    bytes: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The share of synchronous training's fall in perplexity."""
        return (self.start - self.together) / (self.start - self.synchronous)


def write_start(folder: Path, posts: dict[str, Path], shape: Shape) -> Path:
    """Return the model that the sites begin with: a fresh one, trained on groups that no site has."""
    home = folder / "start-home"
    place = home / "trained" / "start"
    if place.is_dir():
        return place
    tokenizer: Any = tokenizer_of(posts, shape.vocabulary)
    tokenizer.save_pretrained(folder / "tokenizer")
    study = folder / "start.yaml"
    study.write_text(shape.study("start", folder / "tokenizer", fresh=True, rounds=1), encoding="utf-8")
    made_home(home, ["warm"], 0)
    with open_workspace(find_home(home).path) as ws:
        found = pretrain(ws, study, {"warm": [posts[group] for group in WARM]}, name="start")
    return Path(found.folder)


def compare(folder: Path, posts: dict[str, Path], shape: Shape, start: Path, seed: int, update: str) -> Compared:
    """Run all ways for one seed; the seed gives the sites' keys, and with these what is held out and in which order."""
    home, study = folder / f"home-{seed}-{update}", folder / f"study-{update}.yaml"
    study.write_text(shape.study("sites", start, update=update), encoding="utf-8")
    made_home(home, SITES, seed)
    seconds: dict[str, float] = {}
    began = time.process_time()
    with open_workspace(find_home(home).path) as ws:
        found = pretrain(ws, study, {site: [posts[group]] for site, group in SITES.items()})
    seconds["together"] = time.process_time() - began
    parsed = read_study(study)
    base = base_of(parsed, home)
    corpora = {
        site: prepare_text(SiteFolder(home / "sites" / site), site, parsed, base, [posts[group]], least=30).corpus
        for site, group in sorted(SITES.items())
    }
    model = base.build(seed)
    first = model.values
    steps = shape.local * shape.rounds
    began = time.process_time()
    synchronised(model, list(corpora.values()), _all(parsed, steps, seed))
    seconds["synchronous"] = time.process_time() - began
    synchronous = losses(model, corpora, parsed)
    alone: dict[str, dict[str, float]] = {}
    for place, (site, corpus) in enumerate(corpora.items()):
        model.install(first)
        train(model, corpus.train, _all(parsed, steps, 1000 * seed + place))
        alone[site] = losses(model, corpora, parsed)
    together = {site: math.log(one.after or 1.0) for site, one in found.sites.items()}
    return Compared(
        seed,
        found.before,
        found.after,
        _perplexity(synchronous.values()),
        float(np.mean([_perplexity(one.values()) for one in alone.values()])),
        {s: (one.before or 0.0, math.exp(alone[s][s]), one.after or 0.0) for s, one in found.sites.items()},
        {site: (_others(alone[site], site), _others(together, site)) for site in corpora},
        {
            "together": sum(one.received for one in found.rounds),
            "synchronous": 4 * model.size * steps * len(corpora),
        },
        seconds,
    )


def synchronised(model: FlatModel, corpora: Sequence[Corpus], settings: PretrainSettings) -> None:
    """Take each step along the mean of the sites' gradients, as if all windows were in one batch."""
    loss_of, adam = LMLoss(model.lm, settings.rows), FlatAdamW(model, settings, None, 0)
    for step in range(1, settings.steps + 1):
        model.gradient.zero_()
        for corpus in corpora:
            rows = rows_of(settings, corpus.train.windows(settings.window), step)
            tokens = torch.from_numpy(corpus.train.batch(rows, settings.window))
            (loss_of(tokens) / len(corpora)).backward()  # type: ignore[no-untyped-call]
        adam.move(settings.lr * settings.schedule.factor(step))


def losses(model: FlatModel, corpora: Mapping[str, Corpus], study: Study) -> dict[str, float]:
    """Return site -> mean loss on its held-out text."""
    spec = spec_of(study)
    found = {s: held_out_loss(model, c.held_out, spec.window, most=spec.looked_at) for s, c in corpora.items()}
    return {site: one.total / one.tokens for site, one in found.items()}


def _all(study: Study, steps: int, seed: int) -> PretrainSettings:
    """Return the settings of one training of all steps, with the study's schedule."""
    one = settings_of(study, spec_of(study), 1, seed)
    return PretrainSettings(
        steps, one.batch, one.window, one.lr, one.schedule, seed, one.accumulate, one.clip, one.decay
    )


def _perplexity(found: Any) -> float:
    return math.exp(float(np.mean(list(found))))


def _others(found: Mapping[str, float], site: str) -> float:
    return _perplexity([loss for name, loss in found.items() if name != site])


def made_home(home: Path, sites: Any, seed: int) -> None:
    """Make a home with one thread, and sites whose keys follow from the seed."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "machine.json").write_text(MACHINE)
    for place, site in enumerate(sorted(sites)):
        key = np.random.default_rng([seed, place]).bytes(32)
        SiteFolder(home / "sites" / site).prepare(key)
