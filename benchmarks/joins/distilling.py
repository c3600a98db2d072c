"""What is lost where one prompt has to stand for a newcomer's mixture, and what a mixture's answer takes.

The prompt is tuned on the newcomer's home texts, whose labels are not looked at, towards the mixture that its first n
labelled cases gave (``fedprompt.adapting.distilling``). Its test table is kept with its bias added.
"""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from benchmarks.joins.asking import Asker
from benchmarks.joins.drawing import Site
from benchmarks.joins.pack import mixture_of
from benchmarks.joins.shelf import Shelf
from fedprompt.adapting.distilling import distil, nearest_member
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.evaluation.cases import Case
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.tuning.settings import TuningSettings

__all__ = ["SIZE", "distilled", "times_one_prompt"]

SIZE = 16
STEPS, BATCH, RATE = 16, 16, 0.01
MEMBERS, TOKENS, REPEATS = 8, 100, 5


def distilled(asker: Asker, site: Site, shelf: Shelf, name: str, seed: int) -> None:
    """Keep the distilled prompt's test table of newcomer ``name``."""
    if shelf.has(f"{name}-test-dis-{SIZE}") or len(site.known) < SIZE:
        return
    members, tables, mixture = mixture_of(shelf, name, SIZE)
    start = asker.soft(shelf.read(f"v-{members[nearest_member(tables, mixture)]}"))
    settings, rng = TuningSettings(STEPS, BATCH, RATE), np.random.default_rng([seed, 2000])
    home = asker.texts(site.known)
    found = distil(home, start, settings, mixture, tables, precision=1.0, rng=rng)
    test = asker.objective(site.test).loglikelihoods(found.soft.vectors)
    shelf.keep(f"{name}-test-dis-{SIZE}", normalised(normalised(test) + found.bias))


def times_one_prompt(asker: Asker, cases: Sequence[Case]) -> float:
    """Return how many times one prompt's time a mixture of eight takes: medians over cases of about 100 tokens."""
    rng, words = np.random.default_rng(0), tuple(f" {label}" for label in asker.labels)
    noise = rng.normal(0, 0.01, (MEMBERS, *asker.start.vectors.shape)).astype(np.float32)
    softs = [asker.soft(asker.start.vectors + one) for one in noise]
    template = asker.study.soft_template()
    texts = " ".join(case.fields["text"] for case in cases).split()
    spans: dict[int, list[float]] = {1: [], MEMBERS: []}
    for number in range(REPEATS + 1):
        text = " ".join(texts[number * 70 : number * 70 + 70])
        for many, found in spans.items():
            # Other cases each time, and none is known from before: nothing is kept between two answers.
            asked = [ChoiceQuery(template.render({"text": text}), words, soft) for soft in softs[:many]]
            began = time.perf_counter()
            asker.model.choices(asked)
            found.append(time.perf_counter() - began)
    return median(spans[MEMBERS][1:]) / median(spans[1][1:])
