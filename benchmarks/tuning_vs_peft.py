"""A step of soft-prompt tuning, and the accuracy it leads to, against PEFT's prompt tuning on the same model and cases.

    python -m benchmarks.tuning_vs_peft --home DIR [--dtypes float32 bfloat16] [--lengths 25 100 250] [--accuracy]

A step is a batch of 16 cases of the demo's movie reviews, joined to about the length asked for, 16 soft tokens,
forward, backward and AdamW. PEFT pads to the longest of the batch and puts the soft tokens in front; ours puts them
behind the text (suffix), or in front as PEFT does (prefix, objective ``vocabulary``, where the losses must be equal).
Each side runs in a process of its own, in turn, so that the peak of its memory is its own. Medians of ``--steps`` steps
after two.

``--accuracy`` tunes both on the same 256 cases, 48 steps, three seeds, and tests on 400 others.
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
from fedprompt.models.threads import spin_briefly
from fedprompt.workspace.home import find_home

TOKENS, BATCH, RATE = 16, 16, 0.01
MODEL, TEXT = "smollm2-135m-instruct", "vader-text"
WORDS = {"positive": " positive", "negative": " negative"}
BEFORE, AFTER = "Review: ", "\nSentiment:"
INIT = "Overall, the feeling expressed in this review is clearly and without any doubt"
TARGETS = {
    ("float32", 25): 4.0,
    ("float32", 100): 11.0,
    ("float32", 250): 24.0,
    ("bfloat16", 25): 4.0,
    ("bfloat16", 100): 10.0,
    ("bfloat16", 250): 25.0,
}


def main() -> None:
    """Run both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--lengths", type=int, nargs="*", default=[25, 100, 250])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of --accuracy")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no seed of --accuracy after so many minutes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("peft", "suffix", "prefix"), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    need("peft", "pip install peft")
    options.home = find_home(options.home).path
    if options.side:
        found = _accuracy(options) if options.accuracy else _steps(options)
        print(json.dumps(found))
        return
    rows: list[Row] = []
    for dtype in options.dtypes:
        for length in options.lengths:
            rows.extend(_compare(options, dtype, length))
    if options.accuracy:
        rows.extend(_accuracies(options))
    show(report("tuning_vs_peft", rows, threads=options.threads, device=options.device), as_json=options.json)


def _compare(options: argparse.Namespace, dtype: str, length: int) -> list[Row]:
    found = {side: _run(options, side, dtype, length) for side in ("peft", "suffix", "prefix")}
    peft, suffix, prefix = (found[side] for side in ("peft", "suffix", "prefix"))
    what = f"{dtype}, {length} tokens"
    target = TARGETS.get((dtype, length))
    ratio = peft["seconds"] / suffix["seconds"]
    rows = [
        Row(
            f"suffix step, {what}",
            "s",
            suffix["seconds"],
            peft["seconds"],
            ratio,
            target,
            None if target is None else ratio >= target,
        )
    ]
    ratio = peft["seconds"] / prefix["seconds"]
    rows.append(Row(f"prefix step, {what}", "s", prefix["seconds"], peft["seconds"], ratio, 2.0, ratio >= 2.0))
    ratio = peft["memory"] / prefix["memory"]
    rows.append(Row(f"prefix memory, {what}", "MiB", prefix["memory"], peft["memory"], ratio, 2.0, ratio >= 2.0))
    if dtype == "float32":
        gap = abs(prefix["loss"] - peft["loss"])
        rows.append(Row(f"prefix loss apart, {what}", "nats", gap, target=1e-4, met=gap <= 1e-4))
    return rows


def _run(options: argparse.Namespace, side: str, dtype: str, length: int, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.tuning_vs_peft", "--side", side, "--home", str(options.home)]
    command += ["--dtypes", dtype, "--lengths", str(length), "--steps", str(options.steps)]
    command += ["--threads", str(options.threads), "--device", options.device, *more]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    spin_briefly(environment)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=3600)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    print(f"{side}, {dtype}, {length}: {done.stdout.strip()}", file=sys.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def joined_texts(home: Path, tokenizer: Any, length: int, wanted: int) -> list[tuple[str, str]]:
    """Return (text, label): reviews joined until they have about ``length`` tokens; one review each for 0."""
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source

    source = next(source for source in SOURCES if source.site == "movies")
    cases = draw_cases(read_source(asset_folder(home, TEXT), source), 9000, np.random.SeedSequence([0, 1]))
    found: list[tuple[str, str]] = []
    held: list[str] = []
    for case in cases:
        held.append(case.fields["text"])
        if len(tokenizer(" ".join(held))["input_ids"]) >= 0.9 * length:
            found.append((" ".join(held), case.answer))
            held = []
        if len(found) == wanted:
            break
    return found


def _steps(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    torch.set_num_threads(options.threads)
    (dtype,), (length,) = options.dtypes, options.lengths
    side = _Peft(options, dtype) if options.side == "peft" else _Ours(options, dtype, options.side)
    texts = joined_texts(options.home, side.tokenizer, length, 4 * BATCH)
    side.prepare(texts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loss = side.step(list(range(BATCH)))
    times = []
    for number in range(options.steps + 1):
        rows = [(BATCH * (number + 1) + k) % len(texts) for k in range(BATCH)]
        _wait(options.device)
        began = time.perf_counter()
        side.step(rows)
        _wait(options.device)
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if options.device != "cpu":
        before, peak = 0, torch.cuda.max_memory_allocated() // 1024
    return {"seconds": median(times[1:]), "loss": loss, "memory": max(1, peak - before) / 1024}


def _wait(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


class _Peft:
    """PEFT's prompt tuning as its documentation has it, answers alone in the loss."""

    def __init__(self, options: argparse.Namespace, dtype: str) -> None:
        import torch
        from peft import PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from fedprompt.models.registry import find_model_folder

        folder = find_model_folder(MODEL, options.home)
        self._torch, self._device = torch, options.device
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(options.device)
        config = PromptTuningConfig(
            task_type=TaskType.CAUSAL_LM,
            num_virtual_tokens=TOKENS,
            prompt_tuning_init=PromptTuningInit.TEXT,
            prompt_tuning_init_text=INIT,
            tokenizer_name_or_path=str(folder),
        )
        self.model = get_peft_model(base, config)
        self.model.train()
        self._optimiser = torch.optim.AdamW(
            (p for p in self.model.parameters() if p.requires_grad), RATE, weight_decay=0
        )

    def prepare(self, cases: list[tuple[str, str]]) -> None:
        self._rows = []
        for text, label in cases:
            prompt = self.tokenizer(BEFORE + text + AFTER)["input_ids"]
            answer = self.tokenizer(WORDS[label])["input_ids"]
            self._rows.append((prompt + answer, [-100] * len(prompt) + answer))

    def step(self, rows: list[int]) -> float:
        torch = self._torch
        longest = max(len(self._rows[row][0]) for row in rows)
        ids, labels, mask = (torch.full((len(rows), longest), value) for value in (0, -100, 0))
        for place, row in enumerate(rows):
            tokens, targets = self._rows[row]
            ids[place, : len(tokens)], labels[place, : len(tokens)] = torch.tensor(tokens), torch.tensor(targets)
            mask[place, : len(tokens)] = 1
        ids, labels, mask = (t.to(self._device) for t in (ids, labels, mask))
        out = self.model(input_ids=ids, attention_mask=mask, labels=labels)
        out.loss.backward()
        self._optimiser.step()
        self._optimiser.zero_grad()
        return float(out.loss.detach())

    def vectors(self) -> Any:
        return self.model.get_prompt_embedding_to_save("default").float().numpy()


class _Ours:
    """Our objective with the slot behind the text, or in front of it as PEFT has it."""

    def __init__(self, options: argparse.Namespace, dtype: str, side: str) -> None:
        import torch

        from fedprompt.models.protocols import RunSettings
        from fedprompt.models.registry import load
        from fedprompt.prompts.template import Template

        self.model = load(MODEL, options.home, RunSettings(dtype, options.threads, options.device))
        self.tokenizer = self.model._tokenizer  # type: ignore[attr-defined]
        text = BEFORE + "{text}{soft}" if side == "suffix" else "{soft}" + BEFORE + "{text}" + AFTER
        self.template = Template(side, text=text, words=WORDS)
        self._kind: Any = "labels" if side == "suffix" else "vocabulary"
        start = self.model.text_init(INIT, TOKENS)
        self._vectors = torch.nn.Parameter(torch.tensor(start.vectors))
        self._torch, self._optimiser = torch, torch.optim.AdamW([self._vectors], RATE, weight_decay=0)

    def prepare(self, cases: list[tuple[str, str]]) -> None:
        from fedprompt.models.protocols import ChoiceQuery

        asked = [ChoiceQuery(self.template.render({"text": text}), tuple(WORDS.values())) for text, _ in cases]
        answers = [list(WORDS).index(label) for _, label in cases]
        self._objective = self.model.objective(asked, answers, TOKENS, kind=self._kind)

    def step(self, rows: list[int]) -> float:
        found = self._objective.loss_and_gradient(self._vectors.detach().numpy(), rows)
        self._vectors.grad = self._torch.from_numpy(found.gradient)
        self._optimiser.step()
        return found.loss

    def vectors(self) -> Any:
        return self._vectors.detach().numpy()


def _accuracy(options: argparse.Namespace) -> dict[str, Any]:
    """Tune on 256 cases and return the accuracy on 400 others, scored by one code for both sides."""
    import torch

    from fedprompt.models.protocols import ChoiceQuery, RunSettings
    from fedprompt.models.registry import load
    from fedprompt.prompts.soft import SoftPrompt
    from fedprompt.prompts.template import Template

    torch.set_num_threads(options.threads)
    (dtype,) = options.dtypes
    side = _Peft(options, dtype) if options.side == "peft" else _Ours(options, dtype, options.side)
    texts = joined_texts(options.home, side.tokenizer, 0, 656)
    order = np.random.default_rng(options.seed).permutation(len(texts))
    tune, test = [texts[i] for i in order[:256]], [texts[i] for i in order[256:]]
    side.prepare(tune)
    rng = np.random.default_rng(options.seed)
    for _ in range(3):
        rows = rng.permutation(256).tolist()
        for at in range(0, 256, BATCH):
            side.step(rows[at : at + BATCH])
    model = load(MODEL, options.home, RunSettings(dtype, options.threads, options.device))
    template = side.template if isinstance(side, _Ours) else Template("peft", text="{soft}" + BEFORE + "{text}" + AFTER)
    soft = SoftPrompt(side.vectors(), model.info.digest)
    asked = [ChoiceQuery(template.render({"text": text}), tuple(WORDS.values()), soft) for text, _ in test]
    values = np.array(model.choices(asked).loglikelihoods)
    return {"accuracy": float(np.mean(values.argmax(axis=1) == [list(WORDS).index(label) for _, label in test]))}


def _accuracies(options: argparse.Namespace) -> list[Row]:
    rows = []
    found: dict[str, list[float]] = {"suffix": [], "peft": []}
    began = time.monotonic()
    for seed in options.seeds:
        if found["peft"] and time.monotonic() - began > 60 * options.minutes:
            break
        for side, values in found.items():
            run = _run(options, side, "float32", 0, "--accuracy", "--seed", str(seed))
            values.append(run["accuracy"])
        ours, peer = found["suffix"][-1], found["peft"][-1]
        rows.append(Row(f"test accuracy after 48 steps, seed {seed}", "accuracy", ours, peer, ours / peer))
    ours, peer = (float(np.mean(found[side])) for side in ("suffix", "peft"))
    seeds = len(found["peft"])
    rows.append(Row(f"test accuracy, mean of {seeds} seeds", "accuracy", ours, peer, ours / peer, 1.0, ours >= peer))
    return rows


if __name__ == "__main__":
    main()
