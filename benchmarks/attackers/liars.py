"""Sites that lie: what an honest worker answered, with one thing in it changed to what no honest site would say.

A lie keeps the form of a reply wherever the form can hold it, and writes the bytes by hand where it cannot. The head of
the ledger beside it is the honest one, since a liar writes whatever ledger it likes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.federation.transports.transport import Delivered

__all__ = ["LIES", "Lie", "lying"]

Arrays = dict[str, NDArray[Any]]
Body = dict[str, Any]
HUGE = 10**9


@dataclass(frozen=True)
class Lie:
    """``verb``: which replies it changes; ``change`` takes the reply's JSON and its arrays and returns other ones.

    ``raw``: text that stands for a number which JSON's writer would not write: it replaces the text ``"@"``.
    """

    name: str
    verb: str
    change: Callable[[Body, Arrays], tuple[Body, Arrays]]
    raw: str | None = None


def lying(handle: Callable[[bytes], Any], lie: Lie) -> Callable[[bytes], Delivered]:
    """Return a site that answers as ``handle`` does but for the lie."""
    from safetensors.numpy import load, save

    def answer(data: bytes) -> Delivered:
        out = handle(data)
        arrays: Arrays = load(out.data)
        body = json.loads(arrays.pop("reply").tobytes())
        if body["verb"] != lie.verb and not (lie.verb == "score" and body["verb"] == "evaluate"):
            return Delivered(out.data, out.head, out.trail)
        body, arrays = lie.change(body, arrays)
        text = json.dumps(body)
        if lie.raw is not None:
            text = text.replace('"@"', lie.raw)
        arrays["reply"] = np.frombuffer(text.encode(), dtype=np.uint8)
        return Delivered(save(arrays), out.head, out.trail)

    return answer


def _with(**changes: Any) -> Callable[[Body, Arrays], tuple[Body, Arrays]]:
    """Change fields of the reply."""
    return lambda body, arrays: ({**body, **changes}, arrays)


def _delta(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Body, Arrays], tuple[Body, Arrays]]:
    """Change the update."""
    return lambda body, arrays: (body, {**arrays, "delta": change(arrays["delta"]).astype(np.float32)})


def _scores(change: Callable[[Body], Mapping[str, Any]]) -> Callable[[Body, Arrays], tuple[Body, Arrays]]:
    """Change each score."""

    def changed(body: Body, arrays: Arrays) -> tuple[Body, Arrays]:
        return {**body, "scores": [{**score, **change(score)} for score in body["scores"]]}, arrays

    return changed


def _filled(value: float) -> Callable[[Body, Arrays], tuple[Body, Arrays]]:
    return _delta(lambda delta: np.full_like(delta, value))


def _one(value: float) -> Callable[[Body, Arrays], tuple[Body, Arrays]]:
    def put(delta: NDArray[Any]) -> NDArray[Any]:
        found = np.array(delta)
        found[0, 0] = value
        return found

    return _delta(put)


def _all_of(count: int) -> Callable[[Body], Mapping[str, Any]]:
    """A perfect score over so many cases, all of whose sums agree."""

    def change(score: Body) -> Mapping[str, Any]:
        size = max(1, len(score.get("confusion", ())))
        table = [[0] * size for _ in range(size)]
        table[0][0] = count
        bins = [{"n": 0, "confidence": 0.0, "right": 0} for _ in range(9)]
        whole = {"n": count, "confidence": float(count), "right": count}
        return {
            "n": count,
            "total": float(count),
            "squares": float(count),
            "groups": count,
            "group_squares": 0.0,
            "confusion": table if score.get("confusion") else [],
            "bins": [*bins, whole] if score.get("bins") else [],
        }

    return change


def _wider(score: Body) -> Mapping[str, Any]:
    """A confusion matrix with one label too many."""
    size = len(score["confusion"]) + 1
    return {"confusion": [[*row, 0] for row in score["confusion"]] + [[0] * size]}


LIES: tuple[Lie, ...] = (
    # how much an update weighs
    Lie("says that it tuned on a thousand million cases", "tune", _with(cases=HUGE)),
    Lie("says that it tuned on no case", "tune", _with(cases=0)),
    Lie(
        "says that it tuned on one case more than it described",
        "tune",
        lambda b, a: ({**b, "cases": b["cases"] + 1}, a),
    ),
    Lie("says a number of cases with four thousand digits", "tune", _with(cases="@"), raw="9" * 4000),
    Lie("says a number of cases that is no whole number", "tune", _with(cases=30.5)),
    # the update itself
    Lie(
        "sends an update far beyond the study's norm",
        "tune",
        _delta(lambda d: d * (1e6 / max(1e-12, float(np.linalg.norm(d))))),
    ),
    Lie("sends an update of the largest numbers that there are", "tune", _filled(3e38)),
    Lie("sends an update with one number that is none", "tune", _one(float("nan"))),
    Lie("sends an update with an infinite number", "tune", _one(float("inf"))),
    Lie("sends an update of another shape", "tune", _delta(lambda d: d[:, :-1].copy())),
    Lie("sends an update of one row more", "tune", _delta(lambda d: np.concatenate([d, d[:1]]))),
    Lie("answers another round", "tune", lambda b, a: ({**b, "round": b["round"] + 1}, a)),
    Lie("says a loss beyond all bounds", "tune", _with(loss=1e300)),
    Lie("says a loss that is no number", "tune", _with(loss="@"), raw="NaN"),
    Lie("says a loss below zero", "tune", _with(loss=-1.0)),
    # what it describes
    Lie("describes a thousand million cases", "describe", _with(tune=HUGE, validation=HUGE, test=HUGE)),
    Lie("describes one label too many", "describe", lambda b, a: ({**b, "labels": [*b["labels"], 1]}, a)),
    Lie(
        "describes more labelled cases than cases",
        "describe",
        lambda b, a: ({**b, "labels": [HUGE] * len(b["labels"])}, a),
    ),
    Lie("describes a count with four thousand digits", "describe", _with(tune="@"), raw="9" * 4000),
    # what it scores
    Lie("scores over a thousand million cases", "score", _scores(_all_of(HUGE))),
    Lie("scores over one case more than it described", "score", _scores(lambda s: _all_of(s["n"] + 1)(s))),
    Lie("scores over one case less than it described", "score", _scores(lambda s: _all_of(s["n"] - 1)(s))),
    Lie("scores by another metric, as it likes", "score", _scores(lambda s: {"metric": "score", "total": 1e300})),
    Lie("counts more right than cases", "score", _scores(lambda s: {"total": s["n"] + 5e-7})),
    Lie("counts fewer right than none", "score", _scores(lambda s: {"total": -5e-7})),
    Lie("has a confusion matrix of one label too many", "score", _scores(_wider)),
    Lie(
        "has a diagonal that is not its total", "score", _scores(lambda s: {"total": 1.0 if s["total"] != 1.0 else 2.0})
    ),
    Lie("has squares that are not those of zeros and ones", "score", _scores(lambda s: {"squares": 1e250})),
    Lie("has a variance beyond all bounds", "score", _scores(lambda s: {"group_squares": 1e250})),
    Lie("has no groups", "score", _scores(lambda s: {"groups": 0})),
    Lie("has bins that count other cases", "score", _scores(lambda s: {"bins": _all_of(s["n"] + 7)(s)["bins"]})),
    Lie(
        "has bins surer than sure",
        "score",
        _scores(lambda s: {"bins": [{**b, "confidence": 1e250} for b in s["bins"]]}),
    ),
    Lie("has a count with four thousand digits", "score", _scores(lambda s: {"groups": "@"}), raw="9" * 4000),
    Lie("has a total that is no number", "score", _scores(lambda s: {"total": "@"}), raw="NaN"),
    Lie("says that it looked a thousand million million times", "score", _with(looks=10**15)),
    Lie("says that more cases were cut than there are", "score", _with(clipped=HUGE)),
    Lie("scores one prompt twice", "score", lambda b, a: ({**b, "scores": [b["scores"][0], *b["scores"]]}, a)),
    Lie("leaves a score out", "score", lambda b, a: ({**b, "scores": b["scores"][1:]}, a)),
)
