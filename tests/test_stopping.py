"""Work ends where the code that works looks at its token, and nowhere else: telling progress never ends it."""

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fedprompt
from fedprompt.stopping import NEVER, Stopped, StopToken, Why

ROOT = Path(fedprompt.__file__).parent
HEARERS = frozenset({"report", "progress", "tell", "told", "hear", "heard", "writing", "stepped", "step", "advance"})
ENDING = frozenset({"check", "sleep", "before"})  # what ends work where it is called
RAISES = {"stopping.py", "federation/schedules/schedule.py"}


def modules(holding: str) -> Iterator[tuple[str, ast.Module]]:
    """Give the package's modules whose text holds a pattern, parsed."""
    for path in sorted(ROOT.rglob("*.py")):
        if re.search(holding, text := path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(text)


def test_work_goes_on_until_its_token_says_why_it_is_to_end() -> None:
    said: list[Why | None] = [None, None, "cancelled", None]
    token = StopToken(lambda: said.pop(0), every=0)
    token.check()
    assert token.why is None
    for _ in range(2):  # what was said once counts for good
        with pytest.raises(Stopped) as stopped:
            token.check()
        assert stopped.value.why == "cancelled"
    assert said == [None]


def test_work_that_nobody_stops_goes_on() -> None:
    NEVER.check()
    NEVER.sleep(0.0)
    assert NEVER.why is None


def test_a_token_is_asked_now_and_then_however_often_it_is_looked_at() -> None:
    asked: list[float] = []
    token = StopToken(lambda: asked.append(time.monotonic()), every=3600)
    for _ in range(1000):
        token.check()
    assert len(asked) == 1


def test_a_sleep_ends_with_the_work() -> None:
    answers: list[Why | None] = [None, "ending"]
    with pytest.raises(Stopped):
        StopToken(lambda: answers.pop(0), every=0).sleep(3600)


def test_a_part_of_the_work_may_end_before_the_whole() -> None:
    over: list[Why] = []
    whole = StopToken()
    part = whole.or_when(lambda: over[0] if over else None)
    part.check()
    over.append("cancelled")
    assert (part.why, whole.why) == ("cancelled", None)
    assert StopToken(lambda: "ending").or_when(lambda: None).why == "ending"


def test_one_thing_ends_work_and_no_handler_for_errors_takes_it_for_one() -> None:
    ends = [
        (name, node.name)
        for name, module in modules("BaseException")
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "BaseException" for base in node.bases)
    ]
    assert ends == [("stopping.py", "Stopped")]
    assert not issubclass(Stopped, Exception)
    raised = {
        name
        for name, module in modules("Stopped")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Stopped"
    }
    assert raised == RAISES


def test_nothing_that_hears_progress_ends_work() -> None:
    found = 0
    for name, module in modules(rf"def ({'|'.join(HEARERS)})\("):
        for node in ast.walk(module):
            if not (isinstance(node, ast.FunctionDef) and node.name in HEARERS) or node.decorator_list:
                continue  # what is decorated, a context manager say, hears nothing
            found += 1
            for inner in ast.walk(node):
                assert not isinstance(inner, ast.Raise), f"{name}: {node.name} raises in line {inner.lineno}"
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                    assert inner.func.attr not in ENDING, f"{name}: {node.name} ends work in line {inner.lineno}"
    assert found > 30
