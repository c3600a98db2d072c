"""Where one prompt comes from, as a small graph, and the same in sentences."""

from collections.abc import Iterable, Sequence

import streamlit as st

from app.display.amounts import volume
from app.display.named import named
from app.display.palette import Palette, on, palette
from app.display.plain import plain, sentence
from app.display.titles import title
from fedprompt.bank.rows import PromptRow
from fedprompt.prompts.origins import origin_words
from fedprompt.workspace.shelf.provenance import Provenance, Step

__all__ = ["draw_provenance", "graph"]

NAMED_SITES = 8
LONGEST = 30
IN_A_ROW = 2
FONT = "Source Sans, sans-serif"


def draw_provenance(found: Provenance) -> None:
    """Draw the graph, and beneath it a sentence for each step."""
    first = found.steps[0]
    if found.study is None and not first.parents and not first.sites and not found.children:
        st.caption("This prompt has no parents and no descendants in this bank.")
    st.graphviz_chart(graph(found, palette()), width="content", alt=_told(found))
    if found.further:
        st.caption(f"{found.further:,} earlier steps are not shown. The command fedprompt bank lineage lists them.")
    if found.more:
        st.caption(f"{found.more:,} more prompts were derived from it.")
    with st.expander("As text, with the hashes that the hub noted", icon=":material/notes:"):
        for step in found.steps:
            named(f"provenance_{step.prompt.id}").markdown(f"- {_sentence(step)}")
            if step.heads:
                heads = ", ".join(f"{plain(site)} `{head[:16]}`" for site, head in sorted(step.heads.items()))
                named(f"provenance_heads_{step.prompt.id}").caption(f"Latest ledger hashes of the sites: {heads}")


def graph(found: Provenance, colours: Palette) -> str:
    """Return the graph in Graphviz's language: time runs downwards, the prompt in question is filled.

    It is no wider than a narrow page, where it is drawn at its own size so that its text can be read.

    Every name in it is quoted, and none is read as markup.
    """
    first, *before = found.steps
    lines = [
        "digraph {",
        "bgcolor=transparent; nodesep=0.12; ranksep=0.3;",
        f"node [shape=box style=rounded fontname={_quoted(FONT)} fontsize=11 height=0.36 margin={_quoted('0.12,0.06')} "
        f"color={_quoted(colours.muted)} fontcolor={_quoted(colours.ink)}];",
        f"edge [color={_quoted(colours.muted)} arrowsize=0.6];",
    ]
    lines += [_node(step.prompt.id, _label(step)) for step in before]
    lines.append(
        _node(
            first.prompt.id,
            _label(first),
            f"style={_quoted('rounded,filled')} fillcolor={_quoted(colours.together)} "
            f"color={_quoted(colours.together)} fontcolor={_quoted(on(colours.together))}",
        )
    )
    oldest = [step for step in found.steps if not step.parents]
    if found.study is not None:
        lines.append(_node("study", [f"study {found.study}"], "shape=note"))
        lines += [f"study -> {_quoted(step.prompt.id)} [style=dashed];" for step in oldest]
    lines += [f"{_quoted(parent)} -> {_quoted(step.prompt.id)};" for step in found.steps for parent in step.parents]
    lines += _sites(first, colours)
    for child in found.children:
        lines += [_node(child.id, [title(child)]), f"{_quoted(first.prompt.id)} -> {_quoted(child.id)};"]
    return "\n".join([*lines, "}"])


def _sites(step: Step, colours: Palette) -> list[str]:
    """Return the sites whose changes went into the prompt; where they are many, one node for all."""
    lines = []
    shown: Sequence[str] = step.sites if len(step.sites) <= NAMED_SITES else [f"{len(step.sites)} sites"]
    for place, site in enumerate(shown):
        key = f"site {place}"
        look = f"shape=ellipse style={_quoted('')} color={_quoted(colours.site(place))}"
        lines += [_node(key, [site], look), f"{_quoted(key)} -> {_quoted(step.prompt.id)} [style=dashed];"]
        if place >= IN_A_ROW:
            lines.append(f"{_quoted(f'site {place - IN_A_ROW}')} -> {_quoted(key)} [style=invis];")
    return lines


def _label(step: Step) -> list[str]:
    count = len(step.sites)
    replies = [f"{count} sites, {volume(step.bytes)}" if count > 1 else volume(step.bytes)] if count else []
    return [title(step.prompt), *replies]


def _node(key: str, label: Iterable[str], look: str = "") -> str:
    text = "\\n".join(_escaped(_short(line)) for line in label)
    return f'{_quoted(key)} [label="{text}" {look}];'


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _sentence(step: Step) -> str:
    row = step.prompt
    what = f"**{plain(title(row))}** (`{row.id[:11]}`), {row.created:%d %b %Y %H:%M} UTC: "
    if not step.sites:
        return what + plain(sentence(origin_words(row.origin)))
    missing = f" {plain(_names(step.missing))} did not answer." if step.missing else ""
    changes = f"updates of {len(step.sites)} sites" if len(step.sites) > 1 else "update of one site"
    names = plain(_names(step.sites))
    return f"{what}aggregated from the {changes}, {names}; {volume(step.bytes)} received.{missing}"


def _names(names: Sequence[str]) -> str:
    shown = list(names[:NAMED_SITES])
    if len(names) > NAMED_SITES:
        shown.append(f"{len(names) - NAMED_SITES} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _told(found: Provenance) -> str:
    """Return the graph in one sentence, for those who do not see it."""
    made: PromptRow = found.steps[0].prompt
    back = f", from {len(found.steps)} steps" if len(found.steps) > 1 else ""
    by = f", from the updates of {_names(found.steps[0].sites)}" if found.steps[0].sites else ""
    return f"{title(made)}{back}{by}"
