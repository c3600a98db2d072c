"""Pairs on the command line."""

from pathlib import Path

import pytest
import typer

from fedprompt.cli.options import columns, sites
from fedprompt.evaluation.column_map import BY_NAME, Columns


def test_pairs_are_read_in_order() -> None:
    assert columns("text=note, answer=label").named == {"text": "note", "answer": "label"}
    assert columns(None) == BY_NAME
    assert columns("text=2", False, "3") == Columns({"text": "#2"}, "#3", False)


def test_a_column_name_may_hold_an_equals_sign() -> None:
    assert columns("text=a=b").named == {"text": "a=b"}


@pytest.mark.parametrize("text", ["text", "=note", "text=", "text=a,text=b", ""])
def test_malformed_pairs_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        columns(text)


def test_sites_are_named_files() -> None:
    assert sites(["a=x/a.csv", "b=b.csv"]) == {"a": Path("x/a.csv"), "b": Path("b.csv")}


@pytest.mark.parametrize("given", [["a.csv"], ["a=a.csv", "a=b.csv"], ["=a.csv"], ["../a=a.csv"], ["a/b=a.csv"]])
def test_malformed_sites_are_refused(given: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        sites(given)
