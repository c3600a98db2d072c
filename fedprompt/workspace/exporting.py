"""Takes prompts out of the bank in a format that other tools read, and brings prompts in from a file.

Pages call :func:`formats` on every draw, so it opens no model and hashes nothing. What an export says of a
prompt's score comes from the run that scored it at the most sites, test cases before validation cases.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fedprompt.bank.rows import ScoreRow
from fedprompt.errors import ExportError, FedPromptError
from fedprompt.evaluation.clusters import cluster_variance, effective_n
from fedprompt.evaluation.intervals import Estimate
from fedprompt.evaluation.ranking import beta_summary
from fedprompt.exports.protocol import ExportContext, Exported, Format, ImportContext, Reading
from fedprompt.exports.reading import HOW_CHOICE, HOW_GENERATE
from fedprompt.exports.registry import format_named, format_of
from fedprompt.exports.registry import formats as all_formats
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.schema import Study
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["FormatView", "ImportView", "export_prompts", "formats", "import_file", "reading_of"]

Z95 = 1.959963984540054


@dataclass(frozen=True)
class FormatView:
    """A format and whether it can hold the chosen prompts; if not, why, and the name of the one to take."""

    name: str
    title: str
    description: str
    allowed: bool
    reason: str | None
    instead: str | None


@dataclass(frozen=True)
class ImportView:
    """``prompts``: ids of what came in; ``dropped``: a sentence for each thing that was left out."""

    prompts: tuple[str, ...]
    dropped: tuple[str, ...]


def formats(ws: Workspace, prompt_ids: Sequence[str]) -> tuple[FormatView, ...]:
    """Return every format, and whether it can hold these prompts.

    Raises:
        BankError: a prompt is not in the bank.
    """
    items = [_exported(ws, id, scored=False) for id in dict.fromkeys(prompt_ids)]
    return tuple(_view(ws, known, items) for known in all_formats())


def export_prompts(
    ws: Workspace, prompt_ids: Sequence[str], format: str, destination: Path, report: Report = quiet
) -> Path:
    """Write prompts; return where.

    Args:
        ws: the workspace.
        prompt_ids: which prompts.
        format: ``bundle``, ``peft``, ``any-slot`` or ``langchain``.
        destination: a folder to be made, or a file that ends in ``.zip`` (for ``langchain`` also ``.json``).
        report: hears how far it is.

    Raises:
        BankError: a prompt is not in the bank.
        ExportError: no such format, one that cannot hold a prompt, or a destination that cannot be written.
    """
    chosen = format_named(format)
    ids = list(dict.fromkeys(prompt_ids))
    if not ids:
        raise ExportError("no prompt was chosen; give at least one id, as 'fedprompt bank list' shows them")
    items = []
    for done, id in enumerate(ids):
        report(Progress("read", f"reading {id} from the bank", done, len(ids)))
        items.append(_exported(ws, id))
    destination = destination.expanduser()
    context = _context(ws, chosen, items)
    report(Progress("write", f"writing {destination.name}", 0, 1))
    path = chosen.write(items, destination, context)
    report(Progress("write", f"wrote {path.name}", 1, 1, 0.0))
    return path


def import_file(ws: Workspace, path: Path) -> ImportView:
    """Read prompts from a file or folder into the bank, all of them or none.

    Raises:
        ExportError: the file is none that can be read, is damaged, or is hostile.
        BankError: the bank cannot be written.
    """
    path = path.expanduser()
    found = format_of(path)
    imported = found.read(path, ImportContext(lambda name: _digest_of(ws, name)))
    batch = [(one.prompt, {**one.notes, "format": found.name}) for one in imported]
    ids = ws.bank.record_prompts(batch, study=None, origin="import")
    return ImportView(ids, tuple(sentence for one in imported for sentence in one.dropped))


def reading_of(prompt: Prompt, study: Study | None, rows: Sequence[ScoreRow]) -> Reading:
    """Return how a prompt's answers are read and what it scores that way, out of its rows in the bank."""
    words = dict(prompt.template.words or {})
    how = HOW_CHOICE if words else HOW_GENERATE
    metric = study.metric if study else "accuracy"
    best = _best_rows(rows)
    if not best:
        return Reading(words, how, metric)
    split = next(iter(best.values())).score.split
    scores = {site: row.score.value for site, row in best.items() if row.score.value is not None}
    estimate = _estimate(prompt.id, best)
    metric = next(iter(best.values())).score.metric
    return Reading(words, how, metric, scores, estimate.value, estimate.low, estimate.high, split)


def _exported(ws: Workspace, id: str, *, scored: bool = True) -> Exported:
    prompt = ws.bank.prompt(id)
    row = ws.bank.prompt_row(prompt.id)
    study = None if row.study is None else ws.bank.study(row.study).study
    reading = reading_of(prompt, study, ws.bank.scores(prompts=[prompt.id]) if scored else ())
    return Exported(prompt, row.name, study, reading)


def _best_rows(rows: Sequence[ScoreRow]) -> dict[str, ScoreRow]:
    """Return site -> row, of test before validation, of the last run among those with the most sites."""
    for split in ("test", "validation"):
        by_run: dict[str, dict[str, ScoreRow]] = {}
        for row in rows:
            if row.score.split == split and row.score.n:
                # The last row of a site within a run wins.
                by_run.setdefault(row.run, {})[row.site] = row
        if by_run:
            most = max(map(len, by_run.values()))
            return [found for found in by_run.values() if len(found) == most][-1]
    return {}


def _estimate(prompt: str, rows: Mapping[str, ScoreRow]) -> Estimate:
    """Return the unweighted mean over sites with its 95 % interval; the same rows give the same numbers."""
    scores = {site: row.score for site, row in rows.items()}
    if all(score.metric == "accuracy" for score in scores.values()):
        counts = {}
        for site, score in scores.items():
            size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares) or 1.0
            right = min(max(score.total, 0.0), float(score.n))
            counts[site] = (right * size / score.n, size)
        rng = np.random.default_rng(int(prompt[3:], 16))
        return beta_summary({prompt: counts}, rng)[prompt].mean
    mean = sum(score.total / score.n for score in scores.values()) / len(scores)
    variances = [cluster_variance(s.n, s.groups, s.group_squares) or 0.0 for s in scores.values()]
    half = Z95 * math.sqrt(sum(variances)) / len(scores)
    return Estimate(mean, mean - half, mean + half)


def _view(ws: Workspace, known: Format, items: Sequence[Exported]) -> FormatView:
    reason, instead = None, None
    if not known.many and len(items) > 1:
        reason, instead = f"it holds one prompt at a time, and {len(items)} are chosen", "bundle"
    for item in items if reason is None else ():
        refusal = known.refuses(item)
        if refusal is not None:
            prefix = f"'{item.name}': " if len(items) > 1 else ""
            reason, instead = prefix + refusal.reason, refusal.instead
            break
    if reason is None and known.needs_model and items:
        reason = _model_missing(ws, items[0])
        instead = "bundle" if reason else None
    return FormatView(known.name, known.title, known.description, reason is None, reason, instead)


def _model_missing(ws: Workspace, item: Exported) -> str | None:
    from fedprompt.models.registry import find_model_folder

    try:
        find_model_folder(_model_name(ws, item), ws.home.path)
    except FedPromptError as error:
        return f"it needs the model, which is not here ({error})"
    return None


def _model_name(ws: Workspace, item: Exported) -> str:
    """Return the name of the model that a prompt is for: its study's, or any study's with that model."""
    from fedprompt.models.registry import DEFAULT_MODEL

    if item.study is not None:
        return item.study.model
    soft = item.prompt.soft
    if soft is not None:
        for row in ws.bank.studies():
            if row.model_digest == soft.model:
                return row.study.model
    return DEFAULT_MODEL


def _context(ws: Workspace, chosen: Format, items: Sequence[Exported]) -> ExportContext:
    """Return the model of the first soft prompt, or of the first prompt."""
    item = next((one for one in items if one.prompt.soft is not None), items[0])
    name = _model_name(ws, item)
    folder = _folder(ws, name)
    if chosen.needs_model and folder is not None:
        from fedprompt.models.digest import model_digest

        return ExportContext(folder, name, model_digest(folder))
    study = ws.bank.prompt_row(item.prompt.id).study
    if study is not None:
        digest = ws.bank.study(study).model_digest
    else:
        known = {row.study.model: row.model_digest for row in ws.bank.studies()}
        digest = known.get(name, "")
    return ExportContext(folder, name, digest)


def _folder(ws: Workspace, name: str) -> Path | None:
    from fedprompt.models.registry import find_model_folder

    try:
        return find_model_folder(name, ws.home.path)
    except FedPromptError:
        return None


def _digest_of(ws: Workspace, name: str) -> str | None:
    """Return the digest of a model by a name in an imported file; never of a folder that the file names."""
    from fedprompt.models.assets import MODELS
    from fedprompt.models.digest import model_digest

    for row in ws.bank.studies():
        if row.study.model == name:
            return row.model_digest
    if name not in MODELS:
        return None
    folder = _folder(ws, name)
    return None if folder is None else model_digest(folder)
