"""What a job of each kind does, and the lane it runs in. A new kind is a function and a line in the table.

A function takes the workspace, the job's JSON arguments, whom to tell and the token that says when it is to end, and
returns what its action does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fedprompt.errors import JobError, did_you_mean
from fedprompt.evaluation.column_map import Columns
from fedprompt.stopping import StopToken
from fedprompt.workspace.progress import Report
from fedprompt.workspace.workspace import Workspace

__all__ = ["Kind", "kind_named", "kinds"]

Arguments = Mapping[str, Any]
Work = Callable[[Workspace, Arguments, Report, StopToken], object]


@dataclass(frozen=True)
class Kind:
    """A kind of job."""

    name: str
    lane: str
    work: Work


def kinds() -> tuple[Kind, ...]:
    """Return every kind."""
    return tuple(_KINDS.values())


def kind_named(name: str) -> Kind:
    """Return one kind.

    Raises:
        JobError: there is no such kind.
    """
    if name not in _KINDS:
        raise JobError(f"unknown kind of job '{name}'{did_you_mean(name, _KINDS)}", code="unknown-kind-of-job")
    return _KINDS[name]


def _demo(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.demo.run import demo
    from fedprompt.workspace.demo.settings import DemoSettings

    return demo(ws, DemoSettings(**arguments), report, stop)


def _assets(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.assets import pull_assets

    return pull_assets(ws.home, report, stop)


def _adapt(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.adapting import adapt

    rest: dict[str, Any] = {name: value for name, value in _read_as(arguments).items() if value is not None}
    rest |= {name: Path(rest[name]) for name in ("study", "data", "unlabelled") if name in rest}
    # What is made in the app can be exported there, so it holds no case unless that was asked for.
    return adapt(ws, report=report, stop=stop, **{"show": False, **rest})


def _compare_pairs(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.measured_pairs import measure_pairs

    pairs = [(str(first), str(second)) for first, second in arguments["pairs"]]
    return measure_pairs(ws, str(arguments["run"]), pairs, report=report, stop=stop)


def _score(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.scored import ChatScored
    from fedprompt.workspace.local.scoring import score

    rest = dict(arguments)
    found = score(ws, Path(rest.pop("study")), Path(rest.pop("data")), report=report, stop=stop, **_read_as(rest))
    # Which cases they were is for whoever runs the command; the bank keeps counts.
    return replace(found, unparsed_lines=None) if isinstance(found, ChatScored) else found


def _dry_run(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.dry_run import dry_run

    return dry_run(
        ws,
        Path(arguments["study"]),
        Path(arguments["data"]),
        columns=_columns(arguments),
        judge=arguments.get("judge"),
        report=report,
        stop=stop,
    )


def _tune(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.tuning import tune

    rest = dict(arguments)
    return tune(ws, Path(rest.pop("study")), Path(rest.pop("data")), report=report, stop=stop, **_read_as(rest))


def _federate(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.rounds.federating import federate

    rest = dict(arguments)
    study = Path(rest.pop("study"))
    sites = {str(name): Path(path) for name, path in rest.pop("sites").items()}
    return federate(ws, study, sites, report=report, stop=stop, **_read_as(rest))


def _federate_flare(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.rounds.federating import federate_flare

    rest = dict(arguments)
    study, sites = Path(rest["study"]), tuple(rest.get("sites", ()))
    seed, last = rest.get("seed", 0), rest.get("pause_after")
    return federate_flare(ws, study, sites, seed=seed, report=report, stop=stop, pause_after=last)


def _data(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.cases.data_view import look_at
    from fedprompt.workspace.cases.evaluation_sets import Reading

    given = arguments.get("reading")
    reading = None if given is None else Reading.model_validate(given)
    least, header = int(arguments.get("min_cases", 30)), arguments.get("header")
    return look_at(Path(arguments["data"]), reading, header=header, min_cases=least, report=report, stop=stop)


def _tune_time(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.tuning_time import time_tuning

    study, data = Path(arguments["study"]), Path(arguments["data"])
    return time_tuning(ws, study, data, columns=_columns(arguments), report=report, stop=stop)


def _forecast(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.rounds.forecast import forecast

    given = arguments["sites"]
    named = given.items() if isinstance(given, Mapping) else ((site, None) for site in given)
    sites = {str(name): None if path is None else Path(path) for name, path in named}
    return forecast(ws, Path(arguments["study"]), sites, columns=_columns(arguments), report=report, stop=stop)


def _rehearse(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.site.rehearse import site_rehearse

    rest = dict(arguments)
    return site_rehearse(ws.home, Path(rest.pop("data")), report=report, stop=stop, **_read_as(rest))


def _roster(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.hub.status import hub_status

    return hub_status(ws)


def _export(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.exchange.exported_before import followed_tags
    from fedprompt.workspace.exchange.exporting import export_prompts

    asked = tuple(arguments["prompts"])
    found = export_prompts(ws, asked, str(arguments["format"]), Path(arguments["destination"]), report, stop)
    return {
        "path": str(found.path),
        "dropped": list(found.dropped),
        "prompts": list(found.prompts),
        "follows": followed_tags(ws, asked, found.prompts),
    }


def _export_preview(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.exchange.preview import preview_export

    prompts, name = tuple(arguments["prompts"]), str(arguments["name"])
    return preview_export(ws, prompts, str(arguments["format"]), name, report, stop)


def _export_try(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.exchange.tried import try_export

    return try_export(ws, tuple(arguments["prompts"]), str(arguments["format"]), arguments["fields"], report, stop)


def _trial(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.playground.trial_files import TrialFolder
    from fedprompt.workspace.playground.trials import run_trial

    return run_trial(ws, TrialFolder(ws.home, str(arguments["owner"])), str(arguments["run"]), report, stop)


def _model_test(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.answers.model_test import try_model

    return try_model(ws, arguments, report, stop)


def _search(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.search.finding import run_search

    return run_search(ws, arguments, report, stop)


def _harden(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.hardening import harden

    rest = dict(arguments)
    return harden(ws, str(rest.pop("prompt")), Path(rest.pop("data")), report=report, stop=stop, **_read_as(rest))


def _audit(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.local.auditing import audit

    rest: dict[str, Any] = {name: value for name, value in _read_as(arguments).items() if value is not None}
    rest |= {name: Path(rest[name]) for name in ("data", "study", "others") if name in rest}
    found = audit(ws, str(rest.pop("prompt")), rest.pop("data"), report=report, stop=stop, **rest)
    # The report lies in the site's folder; the bank is no place for it.
    return {"audit": found.audit}


def _ranking_csv(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.ranking.ranking_csv import run_ranking_csv

    return run_ranking_csv(ws, arguments, report, stop)


def _map(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.search.prompt_map import run_map

    return run_map(ws, arguments, report, stop)


def _nearest_words(ws: Workspace, arguments: Arguments, report: Report, stop: StopToken) -> object:
    from fedprompt.workspace.answers.nearest_words import run_nearest_words

    return run_nearest_words(ws, arguments, report, stop)


def _columns(arguments: Arguments) -> Columns:
    return Columns.of(arguments.get("mapping"), arguments.get("group"))


def _read_as(arguments: Arguments) -> dict[str, Any]:
    """Return what an action takes, what a job keeps of a file's columns as one value."""
    rest = {name: value for name, value in arguments.items() if name not in ("mapping", "group")}
    return {**rest, "columns": _columns(arguments)}


_KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("adapt", "long", _adapt),
        Kind("assets", "long", _assets),
        Kind("audit", "long", _audit),
        Kind("compare-pairs", "long", _compare_pairs),
        Kind("data", "quick", _data),
        Kind("demo", "long", _demo),
        Kind("dry-run", "quick", _dry_run),
        Kind("export", "long", _export),
        Kind("export-preview", "quick", _export_preview),
        Kind("export-try", "quick", _export_try),
        Kind("federate", "long", _federate),
        Kind("federate-flare", "long", _federate_flare),
        Kind("harden", "long", _harden),
        Kind("map", "quick", _map),
        Kind("model-test", "quick", _model_test),
        Kind("nearest-words", "quick", _nearest_words),
        Kind("forecast", "quick", _forecast),
        Kind("ranking-csv", "quick", _ranking_csv),
        Kind("rehearse", "long", _rehearse),
        Kind("roster", "quick", _roster),
        Kind("score", "long", _score),
        Kind("search", "quick", _search),
        Kind("trial", "quick", _trial),
        Kind("tune", "long", _tune),
        Kind("tune-time", "long", _tune_time),
    )
}
