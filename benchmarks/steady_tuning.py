"""Tunes a soft prompt on one thread for some seconds and prints the steps a second, as JSON.

    python -m benchmarks.steady_tuning [--home DIR] --seconds 60

What a tuning job asks of a machine, without its beginning and end: steps of 16 movie reviews with 8 soft tokens.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from fedprompt.workspace.home import find_home

CASES, TOKENS, BATCH = 64, 8, 16
TEXT, INIT = "Review: {text}{soft}", "Overall, the feeling expressed here is clearly"
WORDS = {"positive": " positive", "negative": " negative"}


def main() -> None:
    """Tune until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    home = find_home(options.home).path
    import torch

    from benchmarks.tuning_vs_peft import MODEL, joined_texts
    from fedprompt.models.protocols import ChoiceQuery, RunSettings
    from fedprompt.models.registry import load
    from fedprompt.prompts.template import Template
    from fedprompt.tuning.settings import TuningSettings
    from fedprompt.tuning.steps import tune_tensors

    torch.set_num_threads(1)
    model = load(MODEL, home, RunSettings("float32", 1, "cpu"))
    template = Template("steady", text=TEXT, words=WORDS)
    texts = joined_texts(home, model._tokenizer, 0, CASES)  # type: ignore[attr-defined]
    asked = [ChoiceQuery(template.render({"text": text}), tuple(WORDS.values())) for text, _ in texts]
    objective = model.objective(asked, [list(WORDS).index(label) for _, label in texts], TOKENS, kind="labels")
    ticks: list[float] = []

    def stepped(step: int, loss: float) -> None:
        ticks.append(time.monotonic())
        if ticks[-1] - ticks[0] > options.seconds:
            raise TimeoutError

    try:
        tune_tensors(
            objective,
            model.text_init(INIT, TOKENS),
            TuningSettings(1_000_000, BATCH, 0.01),
            rng=np.random.default_rng(0),
            progress=stepped,
        )
    except TimeoutError:
        print(json.dumps({"steps_per_second": (len(ticks) - 1) / (ticks[-1] - ticks[0])}))


if __name__ == "__main__":
    main()
