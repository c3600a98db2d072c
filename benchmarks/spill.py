"""Tuning where nine tenths of the cached keys and values lie on disk, against all of them in memory.

    python -m benchmarks.spill [--home DIR] [--cases 400] [--tokens 500] [--cache-mib 512] [--steps 5]
        [--dtype float32] [--cache-dtype model|bfloat16] [--json]

The demo's movie reviews are joined until they have about ``--tokens`` tokens; a step is 16 cases and 16 soft tokens
behind the text, AdamW left out. Each side runs in a process of its own, so that the peak of its memory is its own; the
file lies in a folder of its own beside the home's. Medians of ``--steps`` steps after one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Row, report, show
from benchmarks.tuning_vs_peft import BATCH, BEFORE, INIT, MODEL, TOKENS, WORDS, joined_texts
from fedprompt.models.threads import spin_briefly
from fedprompt.workspace.home import find_home

GIB, SLOWER = 4096.0, 2.0


def main() -> None:
    """Run both sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--cache-mib", type=int, default=512)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--cache-dtype", choices=("model", "bfloat16"), default="model")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.home = find_home(options.home).path
    if options.side:
        print(json.dumps(_measure(options)))
        return
    spilled, held = _run(options, options.cache_mib), _run(options, 1 << 20)
    ratio = spilled["seconds"] / held["seconds"]
    peak, share = spilled["peak"], spilled["disk"] / max(1, spilled["disk"] + spilled["memory"])
    rows = [
        Row("a step, spilled against held", "s", spilled["seconds"], held["seconds"], ratio, SLOWER, ratio <= SLOWER),
        Row("peak memory of the process", "MiB", peak, held["peak"], held["peak"] / peak, GIB, peak <= GIB),
        Row("part of the keys and values on disk", "share", share),
        Row("loss apart", "nats", abs(spilled["loss"] - held["loss"]), target=0.0, met=spilled["loss"] == held["loss"]),
        Row("preparing, spilled and held", "s", spilled["prepared"], held["prepared"]),
    ]
    kept = options.dtype if options.cache_dtype == "model" else options.cache_dtype
    more = {"threads": options.threads, "cases": options.cases, "dtype": options.dtype, "cache_dtype": kept}
    show(report("spill", rows, **more), as_json=options.json)


def _run(options: argparse.Namespace, mib: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.spill", "--side", "--home", str(options.home)]
    for name in ("cases", "tokens", "steps", "dtype", "threads", "device", "cache-dtype"):
        command += [f"--{name}", str(getattr(options, name.replace("-", "_")))]
    environment = dict(os.environ)
    spin_briefly(environment)
    done = subprocess.run([*command, "--cache-mib", str(mib)], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"a side failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{mib} MiB: {found}", file=sys.stderr)
    return found


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from fedprompt.models.protocols import ChoiceQuery, RunSettings
    from fedprompt.models.registry import load
    from fedprompt.prompts.template import Template

    memory = {"cache_bytes": options.cache_mib << 20, "cache_dtype": options.cache_dtype}
    settings = RunSettings(options.dtype, options.threads, options.device, **memory)
    model: Any = load(MODEL, options.home, settings)
    texts = joined_texts(options.home, model._tokenizer, options.tokens, options.cases)
    template = Template("suffix", text=BEFORE + "{text}{soft}", words=WORDS)
    asked = [ChoiceQuery(template.render({"text": text}), tuple(WORDS.values())) for text, _ in texts]
    answers = [list(WORDS).index(label) for _, label in texts]
    start = model.text_init(INIT, TOKENS)
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        began = time.perf_counter()
        objective = model.objective(asked, answers, TOKENS, folder=Path(folder))
        prepared = time.perf_counter() - began
        times, loss = [], 0.0
        for number in range(options.steps + 1):
            rows = [(BATCH * number + k) % len(texts) for k in range(BATCH)]
            began = time.perf_counter()
            loss += objective.loss_and_gradient(start.vectors, rows).loss
            times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    store = objective.store
    held = {"peak": peak, "memory": store.memory, "disk": store.disk, "cases": len(texts)}
    return {"seconds": median(times[1:]), "loss": loss, "prepared": prepared, **held}


if __name__ == "__main__":
    main()
