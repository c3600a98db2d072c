"""Whatever a job is given, it ends, and its error is a sentence for people."""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fedprompt.errors import FedPromptError, JobError
from fedprompt.workspace.jobs.arguments import check_arguments
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.jobs.kinds import kinds
from fedprompt.workspace.workspace import open_workspace
from tests.cli.anything import NUMBERS, ODD, WORDS, any_file
from tests.cli.test_any_words import alone, quiet, scored_home
from tests.coded import coded
from tests.scripted_sites import write_cases, write_study

NAMES = sorted(kind.name for kind in kinds())
# The encoder and the model are not here, and what is fetched for them comes from the network.
SLOW = ("assets", "demo", "search", "map")


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], tuple[str, ...]]:
    """Give a home that has scored and tuned, the files that go between homes, and the ids of its prompts."""
    return scored_home(tmp_path_factory.mktemp("fit"))


def usual(folder: Path, ids: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return what pages give to jobs of each kind."""
    study, data = str(write_study(folder / "s.yaml")), str(write_cases(folder / "c.csv", "ant"))
    other = str(write_cases(folder / "d.csv", "bee"))
    cases = {"study": study, "data": data, "mapping": {"text": "text", "answer": "answer"}, "group": None}
    sites = {"study": study, "sites": {"ant": data, "bee": other}}
    out = str(folder / "out")
    return {
        **{kind: dict(cases) for kind in ("score", "tune", "dry-run", "tune-time")},
        **{"federate": sites, "forecast": sites, "federate-flare": {"study": study, "sites": ["ant", "bee"]}},
        "data": {"data": data, "reading": {"fields": {"text": "text"}, "answer": "answer"}, "min_cases": 10},
        "rehearse": {"data": data, "mapping": cases["mapping"], "site": "ant", "study": None},
        "harden": {"prompt": ids[0], "data": data, "steps": 1},
        "audit": {"prompt": ids[-1], "data": data, "shadows": 0},
        "export": {"prompts": list(ids[:1]), "format": "json", "destination": out},
        "export-preview": {"prompts": list(ids[:1]), "format": "json", "name": "x.json"},
        "export-try": {"prompts": list(ids[:1]), "format": "json", "fields": {"text": "so"}},
        "nearest-words": {"prompt": ids[-1]},
        "ranking-csv": {"wanted": {"study": None}, "order": "mean", "show_test": True},
        "map": {"space": "texts", "method": "pca"},
        "search": {"text": "x", "limit": 3},
        "trial": {"owner": "local", "run": "x"},
        "model-test": {"model": "scripted"},
    }


def changed(rng: random.Random, given: Mapping[str, Any], folder: Path, others: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the arguments with a few of them dropped, doubled under another name, or replaced."""
    found = dict(given)
    for _ in range(rng.randrange(4)):
        name = rng.choice([*found, "seed", "split", "pause_after", "x", "resume", "cache_bytes"])
        how = rng.randrange(4)
        if how == 0:
            found.pop(name, None)
        elif how == 1 and isinstance(found.get(name), str):
            found[name] = any_file(rng, others).under(folder)
        elif how == 2 and isinstance(found.get(name), Mapping):
            inner = dict(found[name])
            inner[rng.choice([*inner, "x", "", "../x"])] = rng.choice((*ODD, *WORDS))
            found[name] = inner
        else:
            found[name] = rng.choice((*ODD, *WORDS, *NUMBERS))
    return found


@pytest.mark.whole
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(seed=st.integers(0, 2**64))
def test_every_job_ends_in_a_sentence_whatever_it_is_given(
    seed: int, fit: tuple[Path, dict[str, bytes], tuple[str, ...]], tmp_path: Path
) -> None:
    home, others, ids = fit
    rng = random.Random(seed)
    folder = tmp_path / "example"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home, folder / "home")
    kind = rng.choice([name for name in NAMES if name not in SLOW])
    arguments = changed(rng, usual(folder, ids).get(kind, {}), folder, others)
    with pytest.MonkeyPatch.context() as patch, alone(), quiet(), open_workspace(folder / "home") as ws:
        patch.setenv("FEDPROMPT_JOBS", "inline")
        try:
            row = ws.bank.job(submit(ws, kind, arguments))
        except FedPromptError as error:  # no JSON
            assert "JSON" in str(error), (kind, arguments)
            return
    assert row.state in ("done", "failed", "cancelled"), (kind, arguments)
    assert "unexpected error" not in (row.error or ""), (kind, arguments, row.error)


@pytest.mark.parametrize("kind", NAMES)
def test_what_a_kind_does_not_take_is_refused_by_name(kind: str) -> None:
    with pytest.raises(JobError, match="'odd'", check=coded("unknown-argument")):
        check_arguments(kind, {"odd": 1})


@pytest.mark.parametrize(
    ("kind", "arguments", "code", "names"),
    [
        ("score", {"data": "x.csv"}, "argument-missing", "'study'"),
        ("score", {"study": "s", "data": "x", "seed": -1}, "argument-out-of-bounds", "'seed'"),
        ("score", {"study": "s", "data": "x", "seed": True}, "argument-out-of-bounds", "'seed'"),
        ("score", {"study": "s", "data": "x", "split": "all"}, "argument-out-of-bounds", "'split'"),
        ("federate", {"study": "s", "sites": ["a"]}, "argument-out-of-bounds", "'sites'"),
        ("harden", {"prompt": "p", "data": "x", "fluency": float("nan")}, "argument-out-of-bounds", "'fluency'"),
        ("search", {"text": "x"}, "argument-missing", "'limit'"),
    ],
)
def test_a_wrong_argument_is_named(kind: str, arguments: dict[str, Any], code: str, names: str) -> None:
    with pytest.raises(JobError, check=coded(code, names=names)):
        check_arguments(kind, arguments)
