"""A step of training against transformers' Trainer, on the same windows, one thread, each in a process of its own."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

__all__ = ["Side", "run_sides", "side"]

LR, CLIP, DECAY, BETAS = 3e-4, 1.0, 0.1, (0.9, 0.95)
PRODUCT = (1024, 576, 1536)  # as in matrix_product: rows, width and outputs of a layer of the default model
Side = dict[str, Any]


def run_sides(module: str, model: Path, window: int, batch: int, steps: int, times: int) -> dict[str, Side]:
    """Run both sides in turn, ``times`` times each; return each side's seconds of processor time a step, and losses."""
    found: dict[str, list[Side]] = {"ours": [], "trainer": []}
    for _ in range(times):
        for name in found:
            words = ["--side", name, "--model", str(model), "--window", str(window), "--batch", str(batch)]
            command = [sys.executable, "-m", module, *words, "--side-steps", str(steps)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[name].append(json.loads(out.splitlines()[-1]))
    return {
        name: {
            "seconds": min(one["seconds"] for one in sides),
            "losses": sides[0]["losses"],
            "memory": min(one["memory"] for one in sides),
            "flops": sides[0].get("flops"),
            "gflops": max(one.get("gflops", 0.0) for one in sides),
        }
        for name, sides in found.items()
    }


def side(name: str, model: Path, window: int, batch: int, steps: int) -> Side:
    """Take ``steps`` steps on the same made-up windows and return the median of those behind the first."""
    import torch

    torch.set_num_threads(1)
    before = _matrix_product()
    found = (_ours if name == "ours" else _trainer)(model, window, batch, steps)
    found["gflops"] = max(before, _matrix_product())
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _matrix_product() -> float:
    """Return the GFLOP a second of processor time that a product of a layer's shape reaches, the best of twenty."""
    import torch

    rows, width, out = PRODUCT
    one, other, best = torch.ones(rows, width), torch.ones(out, width), float("inf")
    for _ in range(20):
        began = time.process_time()
        torch.nn.functional.linear(one, other)
        best = min(best, time.process_time() - began)
    return 2 * rows * width * out / best / 1e9


def _windows(vocabulary: int, window: int, batch: int, steps: int) -> np.ndarray[Any, Any]:
    """Return [steps, batch, window] tokens, some far more common than others, as in text."""
    rng = np.random.default_rng(0)
    found: np.ndarray[Any, Any] = (vocabulary * rng.random((steps, batch, window)) ** 4).astype(np.int64)
    return found


def _ours(folder: Path, window: int, batch: int, steps: int) -> Side:
    from fedprompt.corpora.tokens import TokenFile
    from fedprompt.tuning.pretraining.building import built
    from fedprompt.tuning.pretraining.loop import train
    from fedprompt.tuning.pretraining.settings import PretrainSettings
    from fedprompt.tuning.schedule import Schedule

    model = built(folder)
    tokens = _windows(model.lm.config.vocab_size, window, batch, steps)

    class InOrder(TokenFile):
        """The windows in the order of the other side."""

        def batch(self, numbers: Any, length: int) -> np.ndarray[Any, Any]:
            found: np.ndarray[Any, Any] = tokens[next(which)]
            return found

    which = iter(range(steps))
    text = InOrder(tokens.reshape(-1), np.zeros(1, np.int64))
    settings = PretrainSettings(steps, batch, window, LR, Schedule("constant"), 0, 1, CLIP, DECAY, BETAS)
    at = [time.process_time()]
    done = train(model, text, settings, progress=lambda step, loss: at.append(time.process_time()))
    config = model.lm.config.get_text_config()
    products = model.matrices - (0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size)
    attention = 4 * config.num_hidden_layers * config.hidden_size * window / 2  # a token, forward, causal
    flops = 3 * batch * window * (2 * products + attention)
    return {"seconds": median(np.diff(at)[1:]), "losses": list(done.losses), "flops": flops}


def _trainer(folder: Path, window: int, batch: int, steps: int) -> Side:
    import tempfile

    import torch
    from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

    lm: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    tokens = _windows(lm.config.vocab_size, window, batch, steps).reshape(-1, window)
    rows = [{"input_ids": torch.from_numpy(row), "labels": torch.from_numpy(row)} for row in tokens]
    at: list[float] = []

    class Clock(TrainerCallback):
        """Notes when steps end."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            at.append(time.process_time())

    class InOrder(Trainer):
        """Takes the windows as they come."""

        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return torch.utils.data.SequentialSampler(rows)

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            per_device_train_batch_size=batch,
            max_steps=steps,
            learning_rate=LR,
            weight_decay=DECAY,
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            max_grad_norm=CLIP,
            lr_scheduler_type="constant",
            logging_steps=1,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = InOrder(model=lm, args=arguments, train_dataset=rows, callbacks=[Clock()])
        trainer.train()
        losses = [float(one["loss"]) for one in trainer.state.log_history if "loss" in one]
    return {"seconds": median(np.diff(at)[1:]), "losses": losses}
