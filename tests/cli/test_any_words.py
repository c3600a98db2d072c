"""Whatever words and files a command is given, it ends in a sentence and with one of its exit codes."""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.main import get_command

from fedprompt.cli.main import app, main
from fedprompt.workspace.home import find_home
from fedprompt.workspace.site.study import site_study_accept
from fedprompt.workspace.workspace import open_workspace
from tests.cli.anything import NUMBERS, WORDS, Made, any_file
from tests.scripted_sites import write_cases, write_study

CODES = (0, 1, 2, 130)
SECONDS = 60
# What starts servers and does not come back, fetches from the network, or takes minutes: only with what is refused.
LONG = {("ui",), ("demo",), ("assets", "pull"), ("doctor",), ("hub", "run"), ("site", "run")}
PATHS = {"--study", "--data", "--out", "--token-file", "file", "other", "invite", "kit", "request"}
GIVEN: Mapping[str, tuple[str, ...]] = {
    "--split": ("validation", "test", "tune"),
    "--format": ("json", "markdown", "csv", "bundle", "promptfoo", "langchain", "peft", "parquet"),
    "--transport": ("local", "flare"),
    "--cache-dtype": ("model", "bfloat16"),
    "--group": ("text", "answer"),
    "--map": ("text=text,answer=answer", "text=answer,answer=text"),
    "--site": ("ant", "bee", "this-site"),
    "--kind": ("template", "soft"),
    "--order": ("mean", "pooled", "best"),
    "--coverage": ("any", "all"),
    "--model": ("scripted",),
    **dict.fromkeys(
        ("--seed", "--cache-bytes", "--limit", "--offset", "--count", "--steps", "--show"), ("0", "1", "7")
    ),
    **dict.fromkeys(("--fluency", "--min-score", "--seconds", "--patience"), ("0", "0.5")),
    "--host": ("localhost", "127.0.0.1"),
    "--port": ("8002",),
}
# What reads most of the files, and so is tried more often.
READERS = {
    *(("score",), ("tune",), ("federate",), ("import",), ("export",), ("harden",), ("data", "check")),
    *(("study", "new"), ("study", "check"), ("study", "show"), ("bank", "merge"), ("bank", "restore")),
}


class _TooLong(BaseException):
    """A command did not come back."""


def commands() -> list[tuple[tuple[str, ...], list[Any]]]:
    """Return every command's name and parameters."""

    def under(group: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
        for name, one in group.commands.items():
            if hasattr(one, "commands"):
                yield from under(one, (*names, name))
            else:
                yield (*names, name), list(one.params)

    return sorted(under(get_command(app), ()), key=lambda found: found[0])


COMMANDS = commands()


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], tuple[str, ...]]:
    """Give a home that has scored, tuned and joined, the files that go between homes, and the ids of its prompts."""
    return scored_home(tmp_path_factory.mktemp("fit"))


def scored_home(folder: Path) -> tuple[Path, dict[str, bytes], tuple[str, ...]]:
    """Make the home in a folder, and return it with the files and the ids."""
    home, study = folder / "home", write_study(folder / "study.yaml")
    data = write_cases(folder / "cases.csv", "ant")
    words = ["--study", str(study), "--data", str(data), "--home", str(home)]
    hub = ["--home", str(folder / "hub")]
    with quiet():
        assert main(["score", *words]) == main(["tune", *words]) == 0
        assert main(["hub", "init", "meadow", "--host", "localhost", *hub]) == 0
        assert main(["hub", "invite", "ant", "--out", str(folder / "ant.invite"), *hub]) == 0
        joins = ["site", "init", str(folder / "ant.invite"), "--out", str(folder / "ant.request"), "--home", str(home)]
        assert main(joins) == 0
        site_study_accept(find_home(home), study)
        with open_workspace(home) as ws:
            ids = tuple(row.id for row in ws.bank.prompts())
        for name, format in (("bundle.zip", "bundle"), ("prompts.json", "json"), ("prompts.md", "markdown")):
            main(["export", ids[0], "--format", format, "--out", str(folder / name), "--home", str(home)])
        assert main(["bank", "backup", str(folder / "copy.db"), "--home", str(home)]) == 0
    others = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".csv"}
    return home, others, ids


class _Kept(io.BytesIO):
    """Bytes that can be read when what wrote them is gone."""

    def close(self) -> None:
        """Stay open."""


@contextlib.contextmanager
def quiet() -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Catch stdout and stderr as bytes."""
    out, err = _Kept(), _Kept()
    with (
        contextlib.redirect_stdout(io.TextIOWrapper(out, encoding="utf-8", write_through=True)),
        contextlib.redirect_stderr(io.TextIOWrapper(err, encoding="utf-8", write_through=True)),
    ):
        yield out, err


def line_of(rng: random.Random, others: Mapping[str, bytes], ids: tuple[str, ...]) -> list[str | Made]:
    """Return a command line; files stand in it as what is to be made."""
    name, params = rng.choice(COMMANDS)
    if rng.random() < 0.5:
        name, params = rng.choice([one for one in COMMANDS if one[0] in READERS])

    def value(option: str) -> str | Made:
        known = GIVEN.get(option, ())
        if option in PATHS:
            return any_file(rng, others) if rng.random() < 0.9 else rng.choice(WORDS)
        if known and rng.random() < 0.7:
            return rng.choice(known)
        return rng.choice(rng.choice((ids, NUMBERS, WORDS)))

    found: list[str | Made] = []
    for param in params:
        option = param.opts[0] if param.opts else param.name
        if option == "--home" or rng.random() > (0.95 if param.required else 0.3):
            continue
        if getattr(param, "is_flag", False):
            found.append(option)
            continue
        for _ in range(rng.randint(1, 3) if param.multiple or param.nargs == -1 else 1):
            if option.startswith("-"):
                found.append(option)
            if name == ("federate",) and option == "--site":
                found += [rng.choice(("a", "b", "ant", "", "../x", "é", "a b")) + "=", any_file(rng, others)]
            else:
                found.append(value(option))
    return [*name, *found]


def told(line: list[str | Made], folder: Path) -> list[str]:
    """Make the files of a line and return its words; ``a=`` goes before the file that follows it."""
    words: list[str] = []
    for one in line:
        word = one if isinstance(one, str) else one.under(folder)
        if words and isinstance(one, Made) and words[-1].endswith("=") and len(words) > 1 and words[-2] == "--site":
            words[-1] += word
        else:
            words.append(word)
    return words


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse the network, and end a command that does not come back."""

    def ring(*_: object) -> None:
        raise _TooLong

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refused)
        patch.setattr(socket, "getaddrinfo", _refused)
        patch.setattr(sys, "stdin", io.StringIO(""))
        before = signal.signal(signal.SIGALRM, ring)
        signal.alarm(SECONDS)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)


def _refused(*_: object, **__: object) -> None:
    raise OSError(101, "Network is unreachable")


@pytest.mark.whole
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    report_multiple_bugs=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(seed=st.integers(0, 2**64))
def test_every_command_ends_in_a_sentence_whatever_it_is_given(
    seed: int, fit: tuple[Path, dict[str, bytes], tuple[str, ...]], tmp_path: Path
) -> None:
    home, others, ids = fit
    line = line_of(random.Random(seed), others, ids)
    folder = tmp_path / "example"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home, folder / "home")
    name = tuple(word for word in line[:2] if isinstance(word, str))
    long = name in LONG or name[:1] in LONG
    words = told(line, folder)
    # Before "--" and last, so that they count.
    words = (
        [*words, "--home", str(folder / "home" if not long else folder / "nowhere\0")] if "--" not in words else words
    )
    if long:
        words = [*words, "--no-such-option"]
    here = os.getcwd()
    try:
        os.chdir(folder)
        with alone(), quiet() as (out, err):
            code = main(words)
    except _TooLong:
        pytest.fail(f"did not come back: {words}")
    finally:
        os.chdir(here)
    said = err.getvalue().decode()
    assert code in CODES, (words, code, said)
    assert "Traceback" not in said and "unexpected error" not in said, (words, said)
    assert "unexpected error" not in out.getvalue().decode("utf-8", "replace"), (words, said)
    if code == 0 and "--json" in words and "--help" not in words:
        json.loads(out.getvalue())
    if code == 1 and not out.getvalue():
        assert said.strip(), words
