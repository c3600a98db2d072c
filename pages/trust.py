"""Trust: what left the sites of this machine, what would leave, and where a prompt comes from."""

from collections.abc import Sequence

import streamlit as st

from app.display.address import query_ids, set_query_ids
from app.display.named import named
from app.display.plain import plain
from app.panels.federation.ledger import draw_ledger
from app.panels.federation.own_site import draw_own_site
from app.panels.shelf.audit import draw_audit
from app.panels.shelf.provenance import draw_provenance
from app.session import guarded, ledger_views, newest_prompts, prompt_titles, provenance_view, role, workspace
from fedprompt.bank.rows import PromptRow
from fedprompt.prompts.origins import LOCAL

MOST_PROMPTS = 200
NO_NOISE = (
    "A study without a privacy budget adds no noise. Its updates may reveal whether a case was used for tuning, and "
    "there is no differential privacy."
)
ABOUT = (
    "Each site records every reply before it leaves, every refused task, and every call to a model on another "
    "machine. A hash chain detects changed or removed lines."
)


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Trust")
    st.markdown(ABOUT, width=860)
    named("trust_no_noise").warning(NO_NOISE, icon=":material/blur_off:")
    draw_ledgers()
    if role() != "hub":
        draw_own_site()
    draw_origin()


def draw_ledgers() -> None:
    """Draw what left the sites whose folders lie on this machine."""
    views = ledger_views()
    if not views:
        named("trust_no_ledger").info(
            "Ledgers start with the first reply of a site. Start the demo on the Overview page, or join a federation.",
            title="No ledger yet",
            icon=":material/receipt_long:",
        )
        return
    broken = [view.site for view in views if view.problem is not None]
    if broken:
        named("trust_broken").error(
            plain(f"{len(broken)} of {len(views)} ledgers cannot be trusted: {', '.join(broken[:6])}."),
            icon=":material/gpp_bad:",
        )
    else:
        told = f"All {len(views)} ledgers" if len(views) > 1 else "The ledger"
        named("trust_verified").success(
            f"{told} on this machine: every line matches its hash.", icon=":material/verified_user:"
        )
    st.header("What left the sites")
    names = [view.site for view in views]
    # A site whose ledger is broken comes first: that is what a visitor has to see.
    chosen = st.selectbox(
        "Site",
        names,
        index=names.index(broken[0]) if broken else 0,
        key="trust_site",
        help="Sites whose folders are on this machine. Times are in UTC.",
        width=420,
    )
    draw_ledger(views[names.index(chosen)], f"trust_{names.index(chosen)}")
    st.caption("For a site in a federation, the command fedprompt site ledger also shows the exact bytes of an entry.")


def draw_origin() -> None:
    """Draw where one prompt comes from: the one that the address names, or the newest that a run kept."""
    asked, names = query_ids(), prompt_titles()
    st.header("Origin of a prompt")
    tuned = newest_prompts(MOST_PROMPTS, "soft")
    ids = list(dict.fromkeys([*_kept_first(tuned), *asked[:1]]))
    if not ids:
        st.caption("No tuned prompt yet.")
        return
    chosen = st.selectbox(
        "Prompt",
        ids,
        index=ids.index(asked[0]) if asked else 0,
        format_func=lambda one: f"{names.get(one, 'prompt')} \N{MIDDLE DOT} {one[3:9]}",
        key="trust_prompt",
        help="Prompts that a run kept come first, the newest on top. For another prompt, use Lineage on the Bank page.",
        width=420,
    )
    found = provenance_view(chosen)
    set_query_ids([chosen])
    draw_provenance(found)
    if role() != "hub":
        draw_audit(chosen)


def _kept_first(rows: Sequence[PromptRow]) -> list[str]:
    """Return the ids with those first that were scored on test, and of these the ones that no site tuned alone."""
    scores = workspace().bank.scores(prompts=[row.id for row in rows], split="test")
    tested = {one.score.prompt for one in scores}
    return [row.id for row in sorted(rows, key=lambda row: (row.id not in tested, row.origin.startswith(LOCAL.key)))]


draw()
