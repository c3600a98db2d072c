"""Takes prompts out of the bank in a format that other tools read, and brings prompts in from a file.

Pages call :func:`formats` on every draw, so it opens no model and hashes nothing.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fedprompt.bank.rows import ScoreRow
from fedprompt.bank.tags import split_tag
from fedprompt.errors import BankError, ExportError, FedPromptError
from fedprompt.exports.protocol import ExportContext, Exported, Format, Imported, Reading, Refusal, ScoreLine
from fedprompt.exports.reading import how_to_read
from fedprompt.exports.registry import format_named, format_of
from fedprompt.exports.registry import formats as all_formats
from fedprompt.prompts.adapted import Adapted
from fedprompt.prompts.origins import IMPORTED
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.workspace.acting import needs
from fedprompt.workspace.answers.adapted_answers import answer_of_adapted
from fedprompt.workspace.answers.answering import model_name_of
from fedprompt.workspace.exchange.each_alone import goes_alone, write_each
from fedprompt.workspace.exchange.known_models import import_context
from fedprompt.workspace.exchange.readings import reading_of
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "ExportView",
    "FormatView",
    "ImportView",
    "context_of",
    "export_prompts",
    "formats",
    "gathered",
    "import_file",
    "looked_at",
    "refuse_mixtures",
    "tagged_with",
]

HOLD_MIXTURES = ("bundle", "card")
HOLD_ADAPTERS = ("peft-adapter", "card", "csv", "parquet")
_ID = re.compile(r"p1:[0-9a-f]{32}")


@dataclass(frozen=True)
class FormatView:
    """A format and whether it can hold the chosen prompts; if not, why, and the name of the one to take.

    ``prompt`` is the id of the one among several that it cannot hold.
    """

    name: str
    title: str
    description: str
    allowed: bool
    reason: str | None
    instead: str | None
    prompt: str | None = None


@dataclass(frozen=True)
class ExportView:
    """``path``: what was written; ``prompts``: ids of what is in it; ``dropped``: a sentence for each thing lost."""

    path: Path
    prompts: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class ImportView:
    """``prompts``: ids of what came in; ``dropped``: a sentence for each thing that was left out.

    ``signer``: the fingerprint of the key that signed the file, None where nobody did. ``alike``: id -> other prompts
    of the bank with the same words, or the same vectors, in another order; they stay apart. ``adapted``: name -> id of
    the adapted prompts that came in; a name that stands for something else here already got a number behind it.
    """

    prompts: tuple[str, ...]
    dropped: tuple[str, ...]
    signer: str | None
    alike: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    adapted: Mapping[str, str] = field(default_factory=dict)


def formats(ws: Workspace, prompt_ids: Sequence[str]) -> tuple[FormatView, ...]:
    """Return every format, and whether it can hold these prompts.

    Raises:
        BankError: a prompt is not in the bank.
    """
    items = gathered(ws, prompt_ids, scored=False)
    views = {known.name: _view(ws, known, items) for known in all_formats()}
    return tuple(view if view.allowed else replace(view, instead=_way_out(view, views)) for view in views.values())


def export_prompts(
    ws: Workspace,
    prompt_ids: Sequence[str],
    format: str,
    destination: Path,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> ExportView:
    """Write prompts; say where, and what the format could not hold. The same prompts give the same bytes.

    Args:
        ws: the workspace.
        prompt_ids: which prompts: ids, unique beginnings of them, ``name@tag``, ``@tag`` for all that have it, or
            adapted prompts' names.
        format: the name of a format, as :func:`formats` lists them.
        destination: a folder to be made, or a file that ends in ``.zip`` or in the format's own suffix.
        report: hears how far it is.
        stop: looked at before each prompt is read, and before anything is written.

    Raises:
        BankError: a prompt is not in the bank.
        ExportError: no such format, one that cannot hold a prompt, or a destination that cannot be written.
    """
    chosen = format_named(format)
    if not prompt_ids:
        raise ExportError(
            "no prompt was chosen; give at least one id ('fedprompt bank list' shows them)", code="no-prompt-chosen"
        )
    items = gathered(ws, prompt_ids, report, stop=stop)
    destination = destination.expanduser()
    refuse_mixtures(chosen, items)
    report(Progress("write", f"writing {destination.name}", 0, 1))
    stop.check()
    if goes_alone(chosen, items):
        path = write_each(chosen, items, destination, [context_of(ws, chosen, [item]) for item in items])
    else:
        path = chosen.write(items, destination, context_of(ws, chosen, items))
    report(Progress("write", f"wrote {path.name}", 1, 1, 0.0))
    return ExportView(
        path,
        tuple(item.id for item in items),
        tuple(sentence for item in items for sentence in chosen.drops(item)),
    )


@needs("exchange")
def import_file(ws: Workspace, path: Path, format: str | None = None) -> ImportView:
    """Read prompts from a file or folder into the bank, all of them or none.

    Args:
        ws: the workspace.
        path: the file or folder.
        format: the name of its format; found by what it looks like if None.

    Raises:
        ExportError: the file is none that can be read, is damaged, or is hostile.
        BankError: the bank cannot be written.
    """
    path = looked_at(path)
    found = format_of(path) if format is None else format_named(format)
    imported = found.read(path, import_context(ws))
    batch = [(one.prompt, {**one.notes, "format": found.name}) for one in imported if one.adapted is None]
    ids = ws.bank.record_prompts(batch, study=None, origin=IMPORTED.key)
    adapted = {name: id for one in imported if one.adapted is not None for name, id in [_keep_adapted(ws, one)]}
    signers = {(one.notes.get("signature") or {}).get("signer") for one in imported}
    dropped = tuple(dict.fromkeys(sentence for one in imported for sentence in one.dropped))
    alike = {id: tuple(other for other, _ in found) for id, found in ws.bank.near_duplicates_of(ids).items()}
    return ImportView(ids, dropped, signers.pop() if len(signers) == 1 else None, alike, adapted)


def _keep_adapted(ws: Workspace, one: Imported) -> tuple[str, str]:
    """Keep an adapted prompt under its own name, or a free one like it; what a name stands for here stays."""
    assert one.adapted is not None
    reading, wanted = one.notes["reading"], str(one.notes["name"])
    taken = {row.name: row.id for row in ws.bank.all_adapted()} | {row.tag: row.prompt for row in ws.bank.tags()}
    name = next(n for n in _names_like(wanted) if taken.get(n, one.adapted.id) == one.adapted.id)
    if name not in taken:
        about = {"imported": True, "n": None, "normalise": reading["normalise"], "prior": reading["prior"]}
        ws.bank.record_adapted(one.adapted, name=name, study=None, about=about)
    return name, one.adapted.id


def _names_like(name: str) -> Iterator[str]:
    """Yield a name, and then the same with a number behind it; one that no home could give begins anew."""
    try:
        study, word = split_tag(name)
    except BankError:
        study, word = "imported", "home"
    yield f"{study}@{word}"
    yield from (f"{study}@{word[:30]}-{number}" for number in itertools.count(2))


def looked_at(path: Path) -> Path:
    """Return a path that can be looked at, whether or not something lies there.

    Raises:
        ExportError: a name that no disk can hold, an unknown ``~user``, or a folder that may not be looked into.
    """
    try:
        found = path.expanduser()
        found.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ExportError(f"{path}: cannot be read ({error.strerror})", code="cannot-read") from error
    except (RuntimeError, ValueError) as error:
        raise ExportError(
            f"{str(path)!r} is not a valid file name ({error}); give another", code="not-a-file-name"
        ) from error
    return found


def gathered(
    ws: Workspace, references: Sequence[str], report: Report = quiet, *, scored: bool = True, stop: StopToken = NEVER
) -> list[Exported]:
    """Return distinct prompts with their studies and scores; without ``scored`` no score is summed up.

    A reference ``@TAG`` stands for every prompt that any name with this tag stands for.

    Raises:
        BankError: a prompt is not in the bank, or nothing has the tag.
    """
    references = [id for one in references for id in (tagged_with(ws, one[1:]) if one.startswith("@") else (one,))]
    whole = ws.bank.prompts_of([one for one in references if _ID.fullmatch(one)])
    prompts: dict[str, Prompt] = {}
    mixed: list[Exported] = []
    for done, one in enumerate(dict.fromkeys(references)):
        stop.check()
        report(Progress("read", f"reading {one} from the bank", done, len(references)))
        if one not in whole and ws.bank.is_adapted(one):
            mixed.append(_mixed(ws, one, scored=scored))
            continue
        prompt = whole.get(one) or ws.bank.prompt(one)
        prompts[prompt.id] = prompt
    return [*_exported(ws, prompts, scored=scored), *{one.id: one for one in mixed}.values()]


def tagged_with(ws: Workspace, tag: str) -> tuple[str, ...]:
    """Return the ids of the prompts that any name with this tag stands for now, by the names' order.

    Raises:
        BankError: nothing has this tag.
    """
    found = dict.fromkeys(one.prompt for one in ws.bank.tags() if one.tag.rpartition("@")[2] == tag)
    if not found:
        raise BankError(f"no prompt is tagged @{tag}; 'fedprompt bank tags' shows the tags", code="no-such-tag")
    return tuple(found)


def _mixed(ws: Workspace, reference: str, *, scored: bool) -> Exported:
    """Return an adapted prompt and its members."""
    row = ws.bank.adapted_row(reference)
    adapted = ws.bank.adapted(row)
    members = _exported(ws, {one.id: one for one in adapted.members}, scored=scored)
    answer = answer_of_adapted(ws, row)
    bias = dict(zip(adapted.labels, adapted.bias, strict=True))
    heaviest = next(one for one in members if one.prompt.id == adapted.heaviest.id)
    words = dict(heaviest.prompt.template.with_words(adapted.labels).words or {})
    how = how_to_read(words.values(), answer, bias, len(members))
    study = None if row.study is None else ws.bank.study(row.study).study
    reading = Reading(words, how, "accuracy", normalise=answer.normalise, prior=answer.prior, bias=bias)
    return Exported(heaviest.prompt, row.name, study, reading, heaviest.origin, (), adapted, tuple(members))


def _exported(ws: Workspace, prompts: Mapping[str, Prompt], *, scored: bool) -> list[Exported]:
    rows = {row.id: row for row in ws.bank.rows_of(list(prompts))}
    found = {id: (prompt, rows[id]) for id, prompt in prompts.items()}
    studies = {row.digest: row.study for row in ws.bank.studies()}
    scores: dict[str, list[ScoreRow]] = {id: [] for id in found}
    for score in ws.bank.scores(prompts=list(found)):
        scores[score.score.prompt].append(score)
    items = []
    for id, (prompt, row) in found.items():
        study = studies.get(row.study) if row.study is not None else None
        reading = reading_of(prompt, study, scores[id] if scored else ())
        lines = tuple(_line(one, studies) for one in scores[id])
        items.append(Exported(prompt, row.called, study, reading, row.origin, lines))
    return items


def _line(row: ScoreRow, studies: Mapping[str, Study]) -> ScoreLine:
    name = studies[row.study].study if row.study in studies else row.study
    return ScoreLine(row.run, name, row.site, row.round, row.created.isoformat(), row.score)


def _view(ws: Workspace, known: Format, items: Sequence[Exported]) -> FormatView:
    reason, instead, prompt = None, None, None
    for item in items:
        refusal = _mixture_refused(known, item) or _adapter_refused(known, item) or known.refuses(item)
        if refusal is not None:
            reason, instead = refusal.reason, refusal.instead or None
            prompt = item.prompt.id if len(items) > 1 else None
            break
    if reason is None and known.needs_model and items:
        reason = _model_missing(ws, items[0])
        instead = "bundle" if reason else None
    return FormatView(known.name, known.title, known.description, reason is None, reason, instead, prompt)


def _way_out(view: FormatView, views: Mapping[str, FormatView]) -> str | None:
    """Return the format to take instead, one that holds all that is chosen; None where none is known."""
    seen, instead = {view.name}, view.instead
    while instead is not None and instead not in seen and not views[instead].allowed:
        seen.add(instead)
        instead = views[instead].instead
    if instead is not None and views[instead].allowed:
        return instead
    return "bundle" if views["bundle"].allowed else None


def refuse_mixtures(known: Format, items: Sequence[Exported]) -> None:
    """Refuse an adapted prompt that holds cases, one of several members, and an adapter, where a format has no place.

    Raises:
        ExportError: says which format holds it, or how one is made that holds no case.
    """
    for item in items:
        if item.adapted is not None and item.adapted.shown:
            raise ExportError(
                f"'{item.name}' cannot be exported: {_holds(item.adapted)}; 'fedprompt adapt --no-show' makes "
                f"one without cases, and 'fedprompt distil {item.name}' makes one prompt that answers like it",
                code="holds-cases",
            )
        if (refusal := _adapter_refused(known, item)) is not None:
            raise ExportError(
                f"'{item.name}' cannot be exported as {known.title}: {refusal.reason}; take --format {refusal.instead}",
                code="cannot-hold",
            )
        if (refusal := _mixture_refused(known, item)) is not None:
            raise ExportError(
                f"'{item.name}' cannot be exported as {known.title}: {refusal.reason}; use --format "
                f"{refusal.instead}, or make one prompt of it with 'fedprompt distil {item.name}'",
                code="adapted-prompt",
            )


def _holds(adapted: Adapted) -> str:
    return f"it contains {len(adapted.shown)} of this home's labelled cases as examples"


def _mixture_refused(known: Format, item: Exported) -> Refusal | None:
    if item.adapted is not None and item.adapted.shown:
        return Refusal(_holds(item.adapted), "")
    if not item.is_mixture or known.name in HOLD_MIXTURES:
        return None
    head = "" if item.adapted is None or item.adapted.head is None else " and a head on the sentence encoder"
    many = f"{len(item.members)} prompt{'' if len(item.members) == 1 else 's'}{head}"
    return Refusal(f"it combines {many}, but this format holds one prompt", "bundle")


def _adapter_refused(known: Format, item: Exported) -> Refusal | None:
    if item.prompt.adapter is None or known.name in HOLD_ADAPTERS:
        return None
    return Refusal(
        "its answers come from an adapter beside the model's layers, which this format lacks", "peft-adapter"
    )


def _model_missing(ws: Workspace, item: Exported) -> str | None:
    from fedprompt.models.registry import find_model_folder

    try:
        find_model_folder(model_name_of(ws, item.prompt, item.study), ws.home.path)
    except FedPromptError as error:
        return f"it needs the model, which is not on this machine ({error})"
    return None


def context_of(ws: Workspace, chosen: Format, items: Sequence[Exported]) -> ExportContext:
    """Return the model of the first soft prompt, or of the first prompt."""
    item = next((one for one in items if one.prompt.soft is not None), items[0])
    name = model_name_of(ws, item.prompt, item.study)
    folder = _folder(ws, name)
    signer = home_signer(ws.home)
    if chosen.needs_model and folder is not None:
        from fedprompt.models.hf.digest import model_digest

        return ExportContext(folder, name, model_digest(folder), signer)
    study = ws.bank.prompt_row(item.prompt.id).study
    if study is not None:
        digest = ws.bank.study(study).model_digest
    else:
        known = {row.study.model: row.model_digest for row in ws.bank.studies()}
        digest = known.get(name, "")
    return ExportContext(folder, name, digest, signer)


def _folder(ws: Workspace, name: str) -> Path | None:
    from fedprompt.models.registry import find_model_folder

    try:
        return find_model_folder(name, ws.home.path)
    except FedPromptError:
        return None
