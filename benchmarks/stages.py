"""An adapter's step against PEFT under transformers' Trainer on the same work, and the exactness of what is averaged.

    python -m benchmarks.stages --home DIR [--steps 6] [--threads N]

A step is a batch of 16 of the demo's movie reviews with their one-token answers, rank 8 beside q_proj and v_proj, the
objective over the whole vocabulary as Trainer has it, AdamW without decay at one rate. Both sides begin with the same
factors and take the same batches in the same order, so that their losses must agree step by step. Each side runs in a
process of its own, in turn; medians after two steps, peaks of each process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import Row, need, report, show
from benchmarks.tuning_vs_peft import joined_texts
from fedprompt.models.threads import spin_briefly
from fedprompt.prompts.adapter import A, Adapter, B
from fedprompt.study.tunable import Lora
from fedprompt.tuning.tunables.lora import drawn
from fedprompt.workspace.home import find_home

MODEL, BATCH, RATE = "smollm2-135m-instruct", 16, 0.001
LORA = Lora(rank=8, alpha=16)
BEFORE, AFTER = "Review: ", "\nSentiment:"
WORDS = {"positive": " positive", "negative": " negative"}


def main() -> None:
    """Run both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--steps", type=int, default=6, help="beside two that are not timed")
    parser.add_argument("--length", type=int, default=25, help="tokens of a text, about")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("ours", "trainer"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    need("peft", "pip install peft")
    options.home = find_home(options.home).path
    if options.side:
        print(json.dumps(_ours(options) if options.side == "ours" else _trainer(options)))
        return
    found = {side: _run(options, side) for side in ("trainer", "ours")}
    ours, peer = found["ours"], found["trainer"]
    ratio, memory = peer["seconds"] / ours["seconds"], peer["memory"] / ours["memory"]
    gap = float(np.abs(np.array(ours["losses"]) - np.array(peer["losses"])).max())
    what = f"batch {BATCH}, about {options.length} tokens"
    rows = [
        Row(f"adapter step, {what}", "s", ours["seconds"], peer["seconds"], ratio, 1.5, ratio >= 1.5),
        Row("memory of the process", "MiB", ours["memory"], peer["memory"], memory, 1.0, memory >= 1.0),
        Row("losses apart, largest of all steps", "nats", gap, target=1e-4, met=gap <= 1e-4),
        *(_exactness(variant) for variant in ("fedavg", "ffa", "alternating")),
    ]
    show(report("stages", rows, threads=options.threads, steps=options.steps), as_json=options.json)


def _run(options: argparse.Namespace, side: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.stages", "--side", side, "--home", str(options.home)]
    command += ["--steps", str(options.steps), "--length", str(options.length), "--threads", str(options.threads)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    spin_briefly(environment)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=3600)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    print(f"{side}: {done.stdout.splitlines()[-1]}", file=sys.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _start(model: Any) -> Adapter:
    return drawn(model.info.digest, model.lora_shapes(LORA.targets), LORA)


def _loaded(options: argparse.Namespace) -> Any:
    from fedprompt.models.protocols import RunSettings
    from fedprompt.models.registry import load

    return load(MODEL, options.home, RunSettings(dtype="float32", threads=options.threads))


def _ours(options: argparse.Namespace) -> dict[str, Any]:
    from fedprompt.models.protocols import ChoiceQuery
    from fedprompt.prompts.template import Template
    from fedprompt.tuning.settings import TuningSettings
    from fedprompt.tuning.steps import tune_tensors

    model = _loaded(options)
    texts = joined_texts(options.home, model._tokenizer, options.length, BATCH)
    template = Template("plain", text=BEFORE + "{text}" + AFTER, words=WORDS)
    labels = list(WORDS)
    queries = [ChoiceQuery(template.render({"text": text}), tuple(WORDS.values())) for text, _ in texts]
    objective = model.adapter_objective(
        queries, [labels.index(label) for _, label in texts], _start(model), kind="vocabulary"
    )
    times = [time.perf_counter()]
    ended = tune_tensors(
        objective,
        _start(model),
        TuningSettings(options.steps + 2, BATCH, RATE),
        rng=np.random.default_rng(0),
        progress=lambda step, loss: times.append(time.perf_counter()),
    )
    return _told(times, ended.loss)


def _trainer(options: argparse.Namespace) -> dict[str, Any]:
    import torch
    from peft import LoraConfig, get_peft_model
    from peft.utils import set_peft_model_state_dict
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

    from fedprompt.models.hf.lora import lora_shapes
    from fedprompt.models.registry import find_model_folder

    folder = find_model_folder(MODEL, options.home)
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    lm = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    start = drawn("m", lora_shapes(lm, LORA.targets), LORA)  # of the seed and the names, as on the other side
    config = LoraConfig(
        r=LORA.rank, lora_alpha=int(LORA.alpha), target_modules=list(LORA.targets), task_type="CAUSAL_LM"
    )
    wrapped = get_peft_model(lm, config)
    set_peft_model_state_dict(
        wrapped, {f"base_model.model.{n}.weight": torch.tensor(a) for n, a in start.arrays.items()}
    )
    rows = []
    for text, label in joined_texts(options.home, tokenizer, options.length, BATCH):
        context = tokenizer(BEFORE + text + AFTER, split_special_tokens=True)["input_ids"]
        answer = tokenizer(WORDS[label], add_special_tokens=False)["input_ids"]
        rows.append((context, answer))

    def batch(items: list[tuple[list[int], list[int]]]) -> dict[str, Any]:
        longest = max(len(c) + len(a) for c, a in items)
        ids = torch.full((len(items), longest), tokenizer.eos_token_id)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, (context, answer) in enumerate(items):
            size = len(context) + len(answer)
            ids[row, :size], mask[row, :size] = torch.tensor([*context, *answer]), 1
            labels[row, len(context) : size] = torch.tensor(answer)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *args: Any, **more: Any) -> None:
            if not times:
                times.append(time.perf_counter())

        def on_step_end(self, *args: Any, **more: Any) -> None:
            times.append(time.perf_counter())

    settings = TrainingArguments(
        output_dir=str(options.home / "trainer"),
        use_cpu=True,
        per_device_train_batch_size=BATCH,
        max_steps=options.steps + 2,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=0.0,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    trainer = Trainer(wrapped, settings, train_dataset=rows, data_collator=batch, callbacks=[Clock()])
    sys.stdout, kept = sys.stderr, sys.stdout
    trainer.train()
    sys.stdout = kept
    return _told(times, [one["loss"] for one in trainer.state.log_history if "loss" in one])


def _told(times: list[float], losses: Any) -> dict[str, Any]:
    took = np.diff(times)[2:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": median(took.tolist()), "losses": list(losses), "memory": peak}


def _exactness(variant: str) -> Row:
    """Return how far the product of the averaged factors lies from the average of eight sites' products."""
    rng = np.random.default_rng(0)
    start = drawn("m", {"layers.0.q_proj": (64, 48)}, Lora(rank=8, targets=("q_proj",), variant=variant))  # type: ignore[arg-type]
    began = {n: a + rng.normal(0, 0.1, a.shape).astype(np.float32) for n, a in start.arrays.items()}
    frozen = variant in ("ffa", "alternating")  # of A, in a round of odd number

    def noised(name: str, array: Any) -> Any:
        return array if frozen and name.endswith(A) else array + rng.normal(0, 0.05, array.shape)

    sites = [{name: noised(name, array) for name, array in began.items()} for _ in range(8)]
    mean = {name: np.mean([site[name] for site in sites], axis=0) for name in began}
    one, other = (name for name in sorted(began, key=lambda name: name.endswith(A)))
    assert one.endswith(B)
    gap = float(np.abs(mean[one] @ mean[other] - np.mean([s[one] @ s[other] for s in sites], axis=0)).max())
    name = f"product of averages against average of products, {variant}"
    return Row(name, "", gap, target=1e-6 if frozen else None, met=gap <= 1e-6 if frozen else None)


if __name__ == "__main__":
    main()
