"""What one update weighs on the wire, beside LoRA of rank 8 and full fine-tuning of the model; and what int8 costs.

    python -m benchmarks.message_bytes [--home DIR] [--accuracy] [--json]

Updates of 8 x 576 are packed as a site packs them, JSON and container included. LoRA's and full fine-tuning's sizes are
computed from the model's config.json (in the home, or ``--config``): every projection of every layer, float32 and
float16, the numbers alone. ``--accuracy`` runs the demo's four sites with one template in float32 and in each small
precision, same seed, and compares on test; it needs the assets and some minutes.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import yaml

from benchmarks.report import Row, report, show
from fedprompt.privacy.quantise import quantise
from fedprompt.study.schema import Precision
from fedprompt.verbs.tune import TuneReply
from fedprompt.verbs.wire import pack_reply

TOKENS, RANK = 8, 8
MOST_BYTES, MOST_POINTS = 6000, 0.5
MODEL = "smollm2-135m-instruct"


def main() -> None:
    """Pack, compute, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--config", type=Path, help="another model's config.json")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--precisions", nargs="+", choices=("float16", "int8"), default=["int8"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    config = json.loads((options.config or _config(options.home)).read_text())
    width = int(config["hidden_size"])
    small = {precision: _packed(precision, width) for precision in get_args(Precision)}
    rows = [
        Row(
            f"update of {TOKENS} x {width}, {precision}",
            "bytes",
            size,
            target=MOST_BYTES if precision == "int8" else None,
            met=size < MOST_BYTES if precision == "int8" else None,
        )
        for precision, size in small.items()
    ]
    for name, count in (("LoRA, rank 8, all projections", _lora(config)), ("full fine-tuning", _full(config))):
        for precision, size in (("float32", 4), ("float16", 2)):
            more = count * size / small["int8"]
            rows.append(Row(f"{name}, {precision}, against int8", "bytes", small["int8"], count * size, more))
    seen: dict[str, Any] = {}
    if options.accuracy:
        seen = {p: _federated(options.home, p, options.seed) for p in ("float32", *options.precisions)}
        for precision in options.precisions:
            lost = 100 * (seen["float32"]["mean"] - seen[precision]["mean"])
            name = f"points of test accuracy lost by {precision}, seed {options.seed}"
            rows.append(Row(name, "points", lost, target=MOST_POINTS, met=lost <= MOST_POINTS))
    show(
        report("message_bytes", rows, parameters={"lora": _lora(config), "full": _full(config)}, seen=seen),
        as_json=options.json,
    )


def _packed(precision: Precision, width: int) -> int:
    values = np.random.default_rng(0).normal(0, 0.05, (TOKENS, width)).astype(np.float32)
    reply = TuneReply(task="t1:" + "a" * 32, round=3, cases=48, precision=precision)
    return len(pack_reply(reply, quantise(values, precision)))


def _projections(config: dict[str, Any]) -> list[tuple[int, int]]:
    """Return (in, out) of a layer's seven projections."""
    width, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    return [(width, q), (width, kv), (width, kv), (q, width), (width, inner), (width, inner), (inner, width)]


def _lora(config: dict[str, Any]) -> int:
    return int(config["num_hidden_layers"] * sum(RANK * (a + b) for a, b in _projections(config)))


def _full(config: dict[str, Any]) -> int:
    width = config["hidden_size"]
    layer = sum(a * b for a, b in _projections(config)) + 2 * width
    embeddings = config["vocab_size"] * width * (1 if config["tie_word_embeddings"] else 2)
    return int(config["num_hidden_layers"] * layer + width + embeddings)


def _config(home: Path | None) -> Path:
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.workspace.home import find_home

    return asset_folder(find_home(home).path, MODEL) / "config.json"


def _federated(home: Path | None, precision: str, seed: int) -> dict[str, Any]:
    """Return the test accuracy of the demo's sites' common prompt, its updates sent in a precision."""
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.workspace.demo.run import demo_study
    from fedprompt.workspace.demo.settings import DemoSettings
    from fedprompt.workspace.demo.text import SOURCES, draw_cases, read_source, write_cases
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.rounds.federating import federate
    from fedprompt.workspace.workspace import open_workspace

    where = find_home(home).path
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "assets").symlink_to(where / "assets", target_is_directory=True)
        body = demo_study(DemoSettings(task="sentiment", seed=seed, templates=1)).model_dump(mode="json")
        body["rounds"]["update"] = precision
        study = folder / "study.yaml"
        study.write_text(yaml.safe_dump(body), encoding="utf-8")
        files = {}
        for place, source in enumerate(SOURCES):
            files[source.site] = folder / f"{source.site}.csv"
            cases = read_source(asset_folder(where, "vader-text"), source)
            write_cases(files[source.site], draw_cases(cases, 348, np.random.SeedSequence([seed, place])))
            key = folder / "sites" / source.site / "site.key"  # the same in each precision, so that splits are
            key.parent.mkdir(parents=True, mode=0o700)
            key.write_bytes(bytes([seed % 256, place] * 16))
        with open_workspace(folder) as ws:
            found = federate(ws, study, files, seed=seed, report=lambda p: print(precision, p.message, file=sys.stderr))
    test = found.test["federated"]
    return {"mean": test.mean, "by_site": test.by_site, "bytes": [r.bytes for r in found.rounds]}


if __name__ == "__main__":
    main()
