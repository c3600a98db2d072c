"""Where a prompt comes from, step by step: what it was made from, in which round, by the replies of which sites."""

from collections.abc import Mapping
from dataclasses import dataclass

from fedprompt.bank.rows import PromptRow, RoundRow
from fedprompt.prompts.origins import CENTRALISED
from fedprompt.workspace.shelf.events import lineage
from fedprompt.workspace.workspace import Workspace

__all__ = ["MOST_STEPS", "Provenance", "Step", "provenance"]

MOST_STEPS = 24
MOST_CHILDREN = 8


@dataclass(frozen=True)
class Step:
    """How one prompt came to be.

    ``round`` is None outside rounds. ``sites`` are those whose changes were averaged into it, ``missing`` those that
    were asked and did not answer, ``bytes`` what came from them. ``heads`` is site -> the newest hash of its ledger as
    the hub noted it when the round ended.
    """

    prompt: PromptRow
    parents: tuple[str, ...]
    round: int | None = None
    sites: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    bytes: int = 0
    heads: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Provenance:
    """A prompt's ``steps``, itself first and what it was made from after it, nearest first.

    ``study`` is the study's name, ``children`` what was made from the prompt. ``further`` counts the steps further back
    that are left out, ``more`` such children.
    """

    study: str | None
    steps: tuple[Step, ...]
    children: tuple[PromptRow, ...]
    further: int
    more: int


def provenance(ws: Workspace, prompt: str) -> Provenance:
    """Return how a prompt and at most ``MOST_STEPS`` of what it was made from came to be.

    Raises:
        BankError: no such prompt.
    """
    found = lineage(ws, prompt)
    rows = [found.prompt, *(one for generation in found.parents for one in generation)]
    shown = rows[:MOST_STEPS]
    here = {row.id for row in shown}
    rounds = {made.prompt: made for run in {_run(row) for row in shown} if run for made in ws.bank.rounds(run)}
    study = found.prompt.study
    return Provenance(
        study=None if study is None else ws.bank.study(study).name,
        steps=tuple(_step(row, rounds.get(row.id), here) for row in shown),
        children=found.children[:MOST_CHILDREN],
        further=len(rows) - len(shown),
        more=max(0, len(found.children) - MOST_CHILDREN),
    )


def _step(row: PromptRow, made: RoundRow | None, here: set[str]) -> Step:
    parents = tuple(parent for parent in row.parents if parent in here)
    if made is None:
        return Step(row, parents, _round(row))
    body = made.body
    heads = dict(body.get("heads") or {})
    # Where all cases were in one place no site sent a change.
    sites = () if row.origin == CENTRALISED.key else tuple(sorted(body.get("tuned") or body.get("loss") or ()))
    missing = tuple(sorted({str(one["site"]) for one in body.get("missing") or ()} - set(sites)))
    return Step(row, parents, made.number, sites, missing, int(body.get("bytes") or 0), heads)


def _run(row: PromptRow) -> str | None:
    run = row.notes.get("run")
    return run if isinstance(run, str) else None


def _round(row: PromptRow) -> int | None:
    number = row.notes.get("round")
    return number if isinstance(number, int) else None
