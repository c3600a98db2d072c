"""The same federation with the bundled language model: soft prompts of eight tokens on TREC questions."""

from pathlib import Path

from benchmarks.joins.asking import Asker
from benchmarks.joins.sources import read_texts
from benchmarks.joins.tasks import study_of
from benchmarks.robust.federating import Judge, World, objectives
from benchmarks.robust.questions import TARGET, answers_of, deal, triggered
from fedprompt.models.protocols import RunSettings
from fedprompt.models.registry import DEFAULT_MODEL, load
from fedprompt.tuning.settings import TuningSettings

__all__ = ["prompt_world"]


def prompt_world(
    home: Path, wheels: Path, seed: int, *, sites: int, liars: int, cases: int, rounds: int, alpha: float = 1.0
) -> World:
    """Return a federation of soft prompts."""
    import torch

    torch.set_num_threads(1)
    model = load(DEFAULT_MODEL, home, RunSettings("float32", 1, "cpu", cache_bytes=1 << 28))
    asker, texts = Asker(model, study_of("trec")), read_texts("trec", wheels, home)
    dealt = deal(texts, seed, sites=sites, cases=cases, test=150, alpha=alpha)
    return World(
        objectives(dealt, liars, asker.objective),
        tuple(map(answers_of, dealt.sites)),
        liars,
        asker.start,
        Judge(
            asker.objective(dealt.test),
            asker.objective(triggered(dealt.test, keep=True)),
            answers_of(dealt.test),
            TARGET,
        ),
        TuningSettings(steps=4, batch=8, lr=0.03),
        rounds,
    )
