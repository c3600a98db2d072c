"""docs/commands.md names every command, option and JSON key that there is, and none that there is not."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from fedprompt.cli.main import app, main
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.home import find_home
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.rounds.gathering_now import Teller
from fedprompt.workspace.workspace import open_workspace
from tests.small_pack import write_small_pack
from tests.tuning.pretraining.small_run import write_study, write_texts

pytestmark = pytest.mark.whole

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
STUDY = """
study: mood
model: scripted
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: text first, text: "Review: {text}\\nSentiment:"}
  - {name: terse, text: "{text} ="}
soft: {template: "Review: {text}{soft}\\nSentiment:", tokens: 2, init: "clearly"}
tuning: {steps: 1, batch: 5}
rounds: {count: 1}
privacy: {min_cases: 5, questions: 50}
"""


def sections() -> dict[str, str]:
    """Return heading -> text of docs/commands.md."""
    parts = re.split(r"^## (.+)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.M)
    return {heading.strip("` "): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command that can be run, and ``fedprompt`` itself, with its name."""
    waiting: list[tuple[str, Any]] = [("fedprompt", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        inner = getattr(command, "commands", {})
        if name == "fedprompt" or not inner:
            yield name, command
        waiting += [(f"{name} {word}", one) for word, one in inner.items()]


COMMANDS = dict(commands())


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    found = {heading for heading in sections() if heading.startswith("fedprompt")}
    assert found == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_section_names_the_commands_options_and_no_others(name: str) -> None:
    text = sections()[name]
    words = [[*parameter.opts, *parameter.secondary_opts] for parameter in COMMANDS[name].params]
    there = {word for given in words for word in given if word.startswith("-")}
    # A table's first column or the line of options; other mentions are examples.
    lines = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `-")]
    lines += re.findall(r"^Options: (.*?)(?:\n\n|\Z)", text, flags=re.M | re.S)
    named = set(re.findall(r"`(-[-\w]+)`", " ".join(lines)))
    assert named - {"--help"} == there


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_section_says_that_there_are_arguments(name: str) -> None:
    text = sections()[name]
    arguments = [one for one in COMMANDS[name].params if one.param_type_name == "argument"]
    wanted = [one.metavar or one.name.upper() for one in arguments]
    stated = re.findall(r"^Arguments?: (.*)$", text, flags=re.M)
    assert bool(wanted) == bool(stated)
    assert all(f"`{metavar}`" in stated[0] for metavar in wanted)


def test_every_shared_option_is_explained() -> None:
    shared = {"--home", "--json", "--study", "-S", "--map", "--header", "--no-header", "--group", "--seed"}
    assert shared == set(re.findall(r"`(-[-\w]+)`", sections()["Options that several commands share"]))


def documented_keys(name: str) -> set[str]:
    """Return the words in backticks of a section's ``JSON:`` line, what is in brackets left out."""
    (stated,) = re.findall(r"^JSON: (.*?)(?:\n\n|\Z)", sections()[name], flags=re.M | re.S)
    first = re.split(r"\. |\.$|; ", re.sub(r"\([^)]*\)", "", stated))[0]
    return set(re.findall(r"`(\w+)`", first))


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run every command that needs no assets on small files, with the scripted model; return what each printed."""
    folder = tmp_path_factory.mktemp("commands")
    study, home = folder / "study.yaml", folder / "home"
    study.write_text(STUDY, encoding="utf-8")
    for site in ("a", "b"):
        with (folder / f"{site}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "answer"])
            good, bad = ("a good day", "positive"), ("a bad day", "negative")
            writer.writerows((f"{site}{number} {text}", label) for number in range(20) for text, label in (good, bad))
    found: dict[str, dict[str, Any]] = {}

    def run(name: str, *arguments: object, home_too: bool = True, code: int = 0) -> None:
        words = [*name.split()[1:], *map(str, arguments), "--json", *(["--home", str(home)] if home_too else [])]
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main(words) == code, words
        found[name] = json.loads(out.getvalue())

    run("fedprompt assets list")
    run("fedprompt study check", study, home_too=False)
    run("fedprompt study show", study, home_too=False)
    run("fedprompt data check", folder / "a.csv", "-S", study, home_too=False)
    run("fedprompt score", "-S", study, "--data", folder / "a.csv")
    run("fedprompt tune", "-S", study, "--data", folder / "a.csv")
    pack = write_small_pack(folder / "pack.zip")
    run("fedprompt adapt", "--pack", pack, "--data", folder / "a.csv")
    run("fedprompt distil", found["fedprompt adapt"]["name"], "--data", folder / "a.csv", "--steps", 1)
    run("fedprompt harden", found["fedprompt tune"]["prompt"], "--data", folder / "a.csv", "--steps", 1)
    run("fedprompt privacy audit", found["fedprompt tune"]["prompt"], "--data", folder / "a.csv", "--shadows", 4)
    kept = folder / "kept.yaml"
    kept.write_text(STUDY.replace("{count: 1}", "{count: 1, keep_updates: true}"), encoding="utf-8")
    both = ("--site", f"a={folder / 'a.csv'}", "--site", f"b={folder / 'b.csv'}")
    run("fedprompt federate", "-S", kept, *both)
    run("fedprompt stages", "-S", kept, *both, "--only", "template")
    run("fedprompt hub contributions")
    text = write_texts(folder / "texts", ("a",), 60)  # some are held out by a key that nobody chose
    run("fedprompt pretrain", "-S", write_study(folder / "texts"), "--data", f"a={text['a'][0]}")
    first, second = (row["prompt"] for row in found["fedprompt score"]["results"])
    run("fedprompt compare", first, second)
    run("fedprompt bank list")
    run("fedprompt bank show", first)
    run("fedprompt bank verify")
    run("fedprompt bank leaders", "--study", "mood")
    run("fedprompt bank tag", first, "mood@production")
    for name in ("tags", "adapted", "log"):
        run(f"fedprompt bank {name}")
    run("fedprompt bank rename", first, "for moods")
    for name in ("approve", "retire", "lineage"):
        run(f"fedprompt bank {name}", first)
    for name in ("backup", "restore", "merge"):
        run(f"fedprompt bank {name}", folder / "backup.db")
    run("fedprompt export", first, "--out", folder / "out")
    run("fedprompt import", folder / "out")
    run("fedprompt doctor", code=1)  # the assets are missing
    # As 'hub init' and 'site init' leave a home, but for certificates.
    place = {"federation": "f", "host": "localhost", "port": 8002, "admin_port": 8003, "authority": "SHA256:AB"}
    write_json(home / "hub" / "hub.json", place)
    run("fedprompt hub invite", "c", "--out", folder / "c.invite.json")
    for name in ("status", "revoke", "remove"):
        run(f"fedprompt hub {name}", *(["c"] if name != "status" else []))
    run("fedprompt hub sites", "a", "--ledger-restarted")
    with open_workspace(home) as ws:  # as it is while a round gathers, of which nobody takes orders
        gathering, study_of = "r1:" + "0" * 32, found["fedprompt federate"]["study"]
        ws.bank.start_run(gathering, kind="federate", study=study_of, settings={"sites": ["a", "b", "c"]})
    with Teller(find_home(home), gathering) as teller:
        out = {"quorum": 2, "answered": 2, "seconds": 9.0, "asked": {}, "waiting": ["c"], "came": ["a", "b"]}
        teller.tell({"token": "0" * 16, "round": 1, "step": "tune", "missing": {}, **out})
        for name in ("wait", "close", "leave-out", "take-back"):
            run(f"fedprompt hub round {name}", *(["c"] if "-" in name else []), "--patience", 0)
        run("fedprompt hub round show")
    SiteFolder(home / "sites" / "c").prepare()
    write_json(home / "sites" / "c" / "site.json", {**place, "site": "c", "org": "c"})
    run("fedprompt site study show", study)
    run("fedprompt site study accept", study)
    run("fedprompt site rehearse", "--data", folder / "a.csv")
    for name in ("pause", "status", "cases", "policy", "ledger", "report"):
        run(f"fedprompt site {name}")
    run("fedprompt site study decline", "mood")
    return found


WITHOUT_JSON = {
    "fedprompt",
    "fedprompt ui",
    "fedprompt study new",
    "fedprompt serve",
    "fedprompt hub run",
    "fedprompt site run",
}
# Their keys are held by tests/flows/test_flare.py, and of the last four by test_release and test_publishing.
NEED_ENGINE = {
    *("fedprompt hub init", "fedprompt hub admit", "fedprompt site init", "fedprompt site join"),
    *("fedprompt hub release", "fedprompt site pull", "fedprompt site publish", "fedprompt hub take"),
}
NEED_ASSETS = {"fedprompt demo", "fedprompt assets pull", "fedprompt bank search", "fedprompt bank families"}


def test_no_command_was_forgotten(printed: dict[str, dict[str, Any]]) -> None:
    assert set(printed) | WITHOUT_JSON | NEED_ASSETS | NEED_ENGINE == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - WITHOUT_JSON - NEED_ASSETS - NEED_ENGINE))
def test_the_json_keys_are_the_documented_ones(printed: dict[str, dict[str, Any]], name: str) -> None:
    assert set(printed[name]) == documented_keys(name)
