"""The sites' heads: each fits one to its cases, once, along directions that follow from the study's public examples.

Invariant: what the bank has is not asked for again. A site that gives none is left out with the reason, and its
prompts count as before.
"""

import base64
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.adapting.heads import directions_of
from fedprompt.bank.store import Bank
from fedprompt.errors import FederationError, ModelError, StudyError
from fedprompt.models.protocols import Encoder
from fedprompt.prompts.head import Head
from fedprompt.study.schema import Study
from fedprompt.verbs.head import ENCODER_DIGEST, ask_head
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.timing import Clock

__all__ = ["LEAST_HEADS", "gather_heads", "kept_heads", "mean_head", "packed"]

LEAST_HEADS = 3  # of which a mean is taken, so that it is no single donor's
DIRECTIONS, OF = "head directions", "head of "
Numbers = NDArray[np.float32]


def gather_heads(
    federation: FederationRun, bank: Bank, study: Study, encoder: Callable[[], Encoder] | None, clock: Clock
) -> None:
    """Ask every site for its head, where the study asks for heads, and keep each.

    Args:
        encoder: returns the sentence encoder; it is loaded where there are no directions yet.

    Raises:
        StudyError: the study's examples do not span so many directions.
        ModelError, AssetError: the encoder is not there.
    """
    if study.head is None:
        return
    with clock.stage("heads", "each site fits a regression on the sentence encoder, for the mixture"):
        directions = _directions(bank, federation.id, study, encoder)
        known = kept_heads(bank, federation.id)
        asked = [site for site in federation.asking.sites if site not in known]

        def told(site: str) -> None:
            clock.tell(f"{site} fits a head", asked.index(site) / max(1, len(asked)), site=site)

        if not asked:
            return
        ask = partial(_ask, federation, directions, len(study.answer.labels))
        gathering = federation.asking.gather("head", ask, sites=asked, quorum=1, told=told)
        with suppress(FederationError):  # none gave one: why is listed
            for site, head in gathering:
                bank.record_stage(federation.id, f"{OF}{site}", packed(head))
        for one in gathering.missing:
            federation.missing.setdefault(one.site, {})["head"] = one.reason


def kept_heads(bank: Bank, run: str) -> dict[str, Numbers]:
    """Return site -> its head, [labels, directions] float32, of a run."""
    stages = bank.stages(run)
    return {name.removeprefix(OF): _unpacked(stages[name]) for name in sorted(stages) if name.startswith(OF)}


def mean_head(bank: Bank, run: str, study: Study, sites: Collection[str], least: int) -> tuple[Head, int] | None:
    """Return the mean head of these sites and how many gave one; None where fewer than ``least`` did."""
    stages = bank.stages(run)
    given = [head for site, head in kept_heads(bank, run).items() if site in sites]
    if DIRECTIONS not in stages or len(given) < least:
        return None
    mean = np.mean(np.array(given, dtype=np.float64), axis=0).astype(np.float32)
    found = Head(study.fields, study.answer.labels, ENCODER_DIGEST, mean, _unpacked(stages[DIRECTIONS]))
    return found, len(given)


def _ask(federation: FederationRun, directions: Numbers, labels: int, site: str) -> Numbers:
    return ask_head(federation.hub, site, directions, labels)


def _directions(bank: Bank, run: str, study: Study, encoder: Callable[[], Encoder] | None) -> Numbers:
    stored = bank.stages(run).get(DIRECTIONS)
    if stored is None:
        assert study.head is not None
        if encoder is None:
            raise ModelError("a head needs the sentence encoder, which is missing", code="assets-not-ready")
        try:
            found = directions_of(encoder().encode(study.head.examples), study.head.directions)
        except ValueError as error:
            raise StudyError(f"head: {error}; give more or different examples", code="too-few-examples") from error
        bank.record_stage(run, DIRECTIONS, packed(found))
        stored = bank.stages(run)[DIRECTIONS]
    return _unpacked(stored)


def packed(numbers: Numbers) -> dict[str, Any]:
    """Return rows of numbers as the bank keeps them."""
    raw = np.ascontiguousarray(numbers, dtype="<f4").tobytes()
    return {"numbers": base64.b64encode(raw).decode(), "rows": len(numbers)}


def _unpacked(body: Mapping[str, Any]) -> Numbers:
    raw = np.frombuffer(base64.b64decode(body["numbers"]), dtype="<f4")
    return raw.reshape(int(body["rows"]), -1).astype(np.float32)
