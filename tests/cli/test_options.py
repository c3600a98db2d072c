"""Pairs on the command line."""

from pathlib import Path

import pytest
import typer

from fedprompt.cli.options import pairs, sites


def test_pairs_are_read_in_order() -> None:
    assert pairs("text=note, answer=label") == {"text": "note", "answer": "label"}
    assert pairs(None) is None


def test_a_column_name_may_hold_an_equals_sign() -> None:
    assert pairs("text=a=b") == {"text": "a=b"}


@pytest.mark.parametrize("text", ["text", "=note", "text=", "text=a,text=b", ""])
def test_malformed_pairs_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        pairs(text)


def test_sites_are_named_files() -> None:
    assert sites(["a=x/a.csv", "b=b.csv"]) == {"a": Path("x/a.csv"), "b": Path("b.csv")}


@pytest.mark.parametrize("given", [["a.csv"], ["a=a.csv", "a=b.csv"], ["=a.csv"], ["../a=a.csv"], ["a/b=a.csv"]])
def test_malformed_sites_are_refused(given: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        sites(given)
