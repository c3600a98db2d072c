"""What may pass: said anew, by other means than the doors use, so that a door's mistake is not repeated here.

The container is read by safetensors, its JSON by Python's own parser, the form by jsonschema from the forms' published
schema, and what the study forbids by a few sums.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from safetensors.numpy import load

from benchmarks.mutants.honest import Exchange
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.registry import VERBS

__all__ = ["fault"]

_FORMS: Mapping[str, Mapping[str, Any]] = {
    "task": {verb.name: verb.task for verb in VERBS if verb.task is not None},
    "reply": {"refuse": Refusal, **{verb.name: verb.reply for verb in VERBS if verb.reply is not None}},
}
_VALIDATORS = {
    (kind, name): Draft202012Validator(TypeAdapter(form).json_schema())
    for kind, forms in _FORMS.items()
    for name, form in forms.items()
}


def fault(data: bytes, kind: str, exchange: Exchange) -> str | None:
    """Return why bytes that a door took must not have passed; None if they may.

    Args:
        data: what was taken.
        kind: ``task`` or ``reply``.
        exchange: the honest one that it was made of.
    """
    arrays = load(data)
    try:
        body = json.loads(arrays.pop(kind).tobytes().decode("utf-8"), object_pairs_hook=_once, parse_constant=_refused)
    except ValueError as error:
        return f"its JSON: {error}"
    if not isinstance(body, dict) or (kind, body.get("verb")) not in _VALIDATORS:
        return "no verb"
    wrong = next(iter(_VALIDATORS[kind, body["verb"]].iter_errors(body)), None)
    if wrong is not None:
        return f"{list(wrong.absolute_path)}: {wrong.validator}"
    for name, array in arrays.items():
        if array.ndim != 2 or array.dtype not in (np.float32, np.int8) or not np.isfinite(array).all():
            return f"the array {name}"
    return None if kind == "task" else _of_reply(body, arrays, exchange)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _refused(name: str) -> Any:
    raise ValueError(name)


def _of_reply(body: Mapping[str, Any], arrays: Mapping[str, Any], exchange: Exchange) -> str | None:
    task = json.loads(load(exchange.task)["task"].tobytes())
    honest = json.loads(load(exchange.reply)["reply"].tobytes())
    if body["task"] != task["task"] or body["verb"] != honest["verb"]:
        return "another task"
    described = exchange.described
    if body["verb"] == "tune" and described is not None:
        if (body["round"], body["cases"]) != (task["round"], described.tune):
            return "a round or cases that are not those"
        steps = task["steps"] * exchange.study.tuning.lr
        if "delta" in arrays and float(np.abs(arrays["delta"].astype(np.float64)).max()) > 20 * steps:
            return "an update that no steps make"
    if described is None or "scores" not in body:
        return None
    sizes = {"tune": described.tune, "validation": described.validation, "test": described.test}
    if (
        [one["prompt"] for one in honest["scores"]] != [one["prompt"] for one in body["scores"]]
        and sorted(one["prompt"] for one in honest["scores"]) != sorted(one["prompt"] for one in body["scores"])
        and honest.get("choice") is None
    ):
        return "scores of others than were asked for"
    for one in body["scores"]:
        right = (
            sum(row[at] for at, row in enumerate(one.get("confusion", ()))) if one.get("confusion") else one["total"]
        )
        if one["n"] != sizes[one["split"]] or not 0 <= one["total"] <= one["n"] or one["total"] % 1:
            return "a score that no cases make"
        if one["squares"] != one["total"] or right != one["total"] or one["metric"] != "accuracy":
            return "a score that contradicts itself"
    totals = {one["prompt"]: one["total"] for one in body["scores"]}
    for one in body.get("comparisons", ()):
        if one["better"] - one["worse"] != one["total"] or one["n"] != sizes[one["split"]]:
            return "a comparison that contradicts itself"
        known = {one["first"], one["second"]} <= set(totals)
        if known and totals[one["first"]] - totals[one["second"]] != one["total"]:
            return "a comparison that contradicts the scores"
    return None
