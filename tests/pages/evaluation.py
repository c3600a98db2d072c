"""Evaluation sets and studies put into a home, for tests of the pages that work on them."""

from fedprompt.workspace.cases.evaluation_sets import EvaluationSet, Reading, evaluation_sets, keep_file, keep_reading
from fedprompt.workspace.cases.study_draft import keep_study
from fedprompt.workspace.workspace import Workspace
from tests.scripted_sites import LABELS, TEXT, cases

__all__ = ["add_set", "add_study"]


def add_set(ws: Workspace, site: str = "this-site", name: str = "clinic.csv", count: int = 80) -> EvaluationSet:
    """Keep a file of made-up cases for a site, its columns confirmed."""
    lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, count)]
    path = keep_file(ws.home, site, name, ("\n".join(["text,answer", *lines]) + "\n").encode())
    found = next(one for one in evaluation_sets(ws.home) if one.path == path)
    keep_reading(found, Reading(fields={"text": "text"}, answer="answer", labels=LABELS))
    return next(one for one in evaluation_sets(ws.home) if one.path == path)


def add_study(ws: Workspace, text: str = TEXT) -> str:
    """Keep a study and return where it lies."""
    return str(keep_study(ws.home, text))
