"""The one composition of what is fitted at home, by the setting for a site's number of labelled cases.

All methods minimise ``mixture``'s objective, over more or less: ``mixture`` over the simplex, ``bias`` at the given
weights alone, the others at one member each (the simplex' corners), where the pull costs minus the logarithm of that
member's part of ``towards``. So "best template", "alone" and "finished" are fitted with the same prior as the mixture,
and which is taken for a number of cases is the setting's, learnt from donors, not judged on the cases at hand.

A prompt that shows cases of the home (``shown``) is in a mixture only where it pays: where the objective's minimum with
it, its part given beforehand, is below the minimum without it by what one more number costs, log(n) / 2 (Schwarz 1978,
Annals of Statistics 6:461-464). So where a model makes nothing of shown cases they have no weight at all, and not a
small one.

Invariants: without a case the answer is ``towards`` over the members that the method may use, and ``bias0``; a bias
that is given beforehand is where the learnt one is pulled to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.class_bias import centred, fit_bias
from fedprompt.adapting.combining import pooled
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.mixture import Mixture, checked_weights, fit_mixture, mixture_loss
from fedprompt.adapting.settings import AtN, Method

__all__ = ["Fitted", "MemberKind", "fit", "with_home_members"]

MemberKind = Literal["template", "shared", "own", "finished", "shown"]


@dataclass(frozen=True)
class Fitted:
    """``weights`` [members] on the simplex, ``bias`` [labels] with a mean of zero, and the method that was used."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    method: Method


def fit(
    settings: AtN,
    tables: NDArray[np.float64],
    answers: NDArray[np.int64],
    towards: NDArray[np.float64],
    *,
    kinds: Sequence[MemberKind] | None = None,
    bias0: NDArray[np.float64] | None = None,
) -> Fitted:
    """Return the weights and the bias for a site's labelled cases.

    Args:
        settings: for its number of cases.
        tables: [members, cases, labels] log-probabilities; of the site's own prompt out of fold.
        answers: [cases], each a label's place.
        towards: [members] on the simplex.
        kinds: what each member is; shared prompts if None. ``template``, ``alone`` and ``finished`` look among
            templates, own and finished prompts; the other methods among shared prompts and templates, and with
            ``settings.own`` among own and finished ones too, ``mixture`` among prompts that show cases as well. Where
            no member is of the kind, it is ``mixture``.
        bias0: [labels], a bias from unlabelled text or from donors, which the learnt one is pulled to.

    Raises:
        ValueError: shapes do not fit, an answer is no label, or a weight is not on the simplex.
    """
    known, wanted = normalised(tables), checked_weights(towards)
    given = np.zeros(known.shape[-1]) if bias0 is None else centred(np.asarray(bias0, dtype=np.float64))
    if given.shape != known.shape[-1:] or not np.isfinite(given).all():
        raise ValueError(f"a bias of shape {given.shape} does not fit tables of shape {known.shape}")
    used: Sequence[MemberKind] = ["shared"] * len(wanted) if kinds is None else kinds
    if len(used) != len(wanted):
        raise ValueError(f"{len(wanted)} members need a kind each, not {len(used)}")
    method, chosen = _among(settings, used)
    plain = np.array([place for place in chosen if used[place] != "shown"], dtype=np.int64)
    # Weights sum to one, so what is added to each member is added to the pool.
    found, cost = _with_cost(settings, method, known[plain] + given, answers, wanted[plain])
    if method == "mixture" and len(plain) < len(chosen) and len(answers):
        more, lower = _with_cost(settings, method, known[chosen] + given, answers, wanted[chosen])
        found, plain = (more, chosen) if lower + np.log(len(answers)) / 2 < cost else (found, plain)
    chosen = plain
    weights = np.zeros(len(wanted))
    weights[chosen] = found.weights
    return Fitted(weights, centred(given + found.bias), method)


def _with_cost(
    settings: AtN, method: Method, tables: NDArray[np.float64], answers: NDArray[np.int64], towards: NDArray[np.float64]
) -> tuple[Mixture, float]:
    """Return what is fitted and what it costs, in nats."""
    part = towards / towards.sum() if towards.sum() > 0 else np.full(len(towards), 1 / len(towards))
    found = _found(settings, method, tables, answers, part)
    strength = {"pull": settings.pull, "precision": settings.precision}
    return found, mixture_loss(tables, answers, found, part, **strength)


def with_home_members(towards: NDArray[np.float64], more: int) -> NDArray[np.float64]:
    """Return weights for ``more`` members that a site made itself, each as heavy as the others are on average.

    Raises:
        ValueError: the weights are not on the simplex.
    """
    known = checked_weights(towards)
    each = 1 / (len(known) + more)
    return np.concatenate([known * (1 - more * each), np.full(more, each)])


def _among(settings: AtN, kinds: Sequence[MemberKind]) -> tuple[Method, NDArray[np.int64]]:
    alone: dict[Method, MemberKind] = {"template": "template", "alone": "own", "finished": "finished"}
    if settings.method in alone:
        chosen = [place for place, kind in enumerate(kinds) if kind == alone[settings.method]]
        if chosen:
            return settings.method, np.array(chosen)
    usable = ("template", "shared", "shown") + (("own", "finished") if settings.own else ())
    shared = [place for place, kind in enumerate(kinds) if kind in usable]
    method: Method = "bias" if settings.method == "bias" else "mixture"
    return method, np.array(shared or list(range(len(kinds))))


def _found(
    settings: AtN, method: Method, tables: NDArray[np.float64], answers: NDArray[np.int64], towards: NDArray[np.float64]
) -> Mixture:
    strength = {"pull": settings.pull, "precision": settings.precision}
    if method == "mixture":
        return fit_mixture(tables, answers, towards, **strength)
    if method == "bias":
        at_towards = fit_bias(pooled(normalised(tables), towards), answers, precision=settings.precision)
        return Mixture(towards, at_towards)
    corners = [
        Mixture(corner, fit_bias(table, answers, precision=settings.precision))
        for table, corner, part in zip(tables, np.eye(len(towards)), towards, strict=True)
        if part > 0
    ]
    costs = [mixture_loss(tables, answers, corner, towards, **strength) for corner in corners]
    return corners[int(np.argmin(costs))]
