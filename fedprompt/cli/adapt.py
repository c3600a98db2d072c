"""``fedprompt adapt``: shared prompts for a home with few labelled cases, or none."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Group, Header, Home, Json, Map, Words, columns, own_words
from fedprompt.cli.showing import emit, line, percent, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.workspace.local.adapt_result import AdaptResult

__all__ = ["adapt"]


def adapt(
    pack: Annotated[str, typer.Option("--pack", help="A pack: public:NAME, or the file or folder of a release.")],
    study: Annotated[
        Path | None, typer.Option("--study", "-S", help="The pack must belong to this study (a YAML file).")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Your labelled cases: CSV, JSONL or Parquet. A few are enough.")
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option("--unlabelled", help="Your own texts without labels. They show how frequent each class is."),
    ] = None,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    words: Words = None,
    name: Annotated[str, typer.Option("--name", help="Name in the bank: STUDY@NAME.")] = "home",
    show: Annotated[
        bool,
        typer.Option(help="Allow some of your cases in the prompt as examples. Such a prompt is never exported."),
    ] = True,
    home: Home = None,
    json: Json = False,
) -> None:
    """Adapt shared prompts to your own task, with a few labelled cases or none. Nothing leaves this machine."""
    from fedprompt.workspace.local.adapting import adapt as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            pack=pack,
            study=study,
            data=data,
            unlabelled=unlabelled,
            name=name,
            words=own_words(words),
            columns=columns(map_, header, group),
            show=show,
            report=tell,
        )
    if json:
        emit(found)
        return
    _show(found)


def _show(found: "AdaptResult") -> None:
    """Print what was made, of what, and how to use it."""
    from fedprompt.workspace.local.out_of_fold import WAY_WORDS

    for sentence in found.sentences:
        line(sentence)
    if found.ways:
        table(
            ("alone, with", "right"), [(WAY_WORDS[way], f"{right} of {found.n}") for way, right in found.ways.items()]
        )
    table(("prompt", "kind", "counts", "id"), [(m.name, m.kind, percent(m.weight), m.prompt) for m in found.members])
    table(
        ("class", "cases", "bias"),
        [(label, found.counts[label], f"{value:+.2f}") for label, value in found.bias.items()],
    )
    for note in found.notes:
        line(note)
    line(
        f"saved as {found.name} ({found.adapted}) in {found.seconds:.1f} s; try it with: fedprompt serve '{found.name}'"
    )
