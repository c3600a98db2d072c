"""What to do next on this machine, in one click: by its role, its files and studies, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.display.address import go
from app.session import role, workspace
from fedprompt.workspace.cases.evaluation_sets import evaluation_sets
from fedprompt.workspace.cases.study_draft import kept_studies
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.site_folder import enrolled, enrolled_sites
from fedprompt.workspace.results.views import LeaderRow

__all__ = ["Step", "Stock", "draw_next", "steps_of"]

MOST = 5
LEAST_SITES = 2


@dataclass(frozen=True)
class Step:
    """A button: what it says, its icon, and the page that it opens on some prompts."""

    label: str
    icon: str
    page: str
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stock:
    """What a machine has: how many labelled ``files``, ``studies``, those that can be tuned, ``sites`` and accepted."""

    files: int = 0
    studies: int = 0
    tunable: int = 0
    sites: int = 0
    accepted: int = 0


def draw_next(best: Sequence[LeaderRow], nominated: Mapping[str, Any]) -> None:
    """Draw the buttons.

    Args:
        best: the first prompts of the ranking.
        nominated: the ids of the prompts that the last finished federation looked at on test, by the row of its table.
    """
    steps = steps_of(role(), _stock(), best, nominated)
    if not steps:
        return
    st.header("What to do next")
    with st.container(horizontal=True, key="overview_next"):
        for number, step in enumerate(steps):
            if st.button(step.label, key=f"overview_next_{number}", icon=f":material/{step.icon}:"):
                go(step.page, step.prompts)


def steps_of(
    kind: str, stock: Stock, best: Sequence[LeaderRow], nominated: Mapping[str, Any] | None = None
) -> list[Step]:
    """Return the next steps of a machine, those about what was found first; ``kind``: alone, hub or site."""
    tries, of = kind != "hub", nominated or {}
    if of.get("federated"):
        found = _with_prompt("the federated prompt", str(of["federated"]), "the best template", of.get("manual"))
    else:
        found = _with_best(best)
    found = [step for step in found if tries or step.page != "playground"]
    if kind == "hub":
        if not stock.studies:
            found.append(Step("Write a study", "edit_note", "new_study"))
        elif stock.sites >= LEAST_SITES:
            found.append(Step("Start a federation", "lan", "federation"))
        return found[:MOST]
    if not stock.files:
        found.append(Step("Upload a file of cases", "table_view", "data"))
    elif not stock.studies:
        found.append(Step("Write a study for your file", "edit_note", "new_study"))
    elif stock.tunable:
        found.append(Step("Tune a soft prompt on your file", "tune", "tune"))
    if kind == "site" and stock.accepted and stock.files:
        found.append(Step("Preview what would leave", "theater_comedy", "trust"))
    if kind == "alone" and stock.files >= LEAST_SITES and stock.studies:
        found.append(Step("Start a federation of your files", "lan", "federation"))
    return found[:MOST]


def _with_best(best: Sequence[LeaderRow]) -> list[Step]:
    if not best:
        return []
    first = best[0]
    other = next((row for row in best[1:] if row.kind == "template"), best[1] if len(best) > 1 else None)
    which = "the best template" if other and other.kind == "template" and first.kind != "template" else "the next best"
    return _with_prompt("the best prompt", first.id, which, None if other is None else other.id)


def _with_prompt(name: str, prompt: str, which: str, other: str | None) -> list[Step]:
    """Return what is done with a prompt: it is tried, compared with ``other``, called ``which``, and exported."""
    found = [Step(f"Try {name}", "experiment", "playground", (prompt,))]
    if other is not None and other != prompt:
        found.append(Step(f"Compare it with {which}", "balance", "compare", (prompt, str(other))))
    return [*found, Step(f"Export {name}", "download", "bank", (prompt,))]


def _stock() -> Stock:
    home = workspace().home
    studies = [one.study for one in kept_studies(home) if one.study is not None]
    names, hub = enrolled_sites(home), HubFolder(home)
    return Stock(
        files=sum(one.reading is not None for one in evaluation_sets(home)),
        studies=len(studies),
        tunable=sum(study.soft is not None for study in studies),
        sites=len(hub.sites()) if (hub.path / "hub.json").exists() else 0,
        accepted=sum(len(enrolled(home, name).accepted()) for name in names),
    )
