"""A federation's rounds and result, and on a site's own machine how that site stands."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.display.address import go
from app.display.named import named
from app.display.plain import between, plain, sentence
from app.panels.federation.accepted_study import draw_accepted
from app.panels.federation.rounds import draw_rounds
from app.panels.federation.traffic import draw_traffic
from app.panels.federation.transfer import draw_transfer, transfer_sentence
from app.panels.federation.updates import draw_contributions, draw_updates
from app.panels.runs.next_steps import draw_next_steps
from app.session import workspace
from fedprompt.workspace.bills.judge_bill import told_calls
from fedprompt.workspace.enrolled.site_folder import enrolled_sites
from fedprompt.workspace.front.findings import finding_of, gains_of
from fedprompt.workspace.home import Home
from fedprompt.workspace.results.labels import labelled
from fedprompt.workspace.rounds.federation_view import FederationView, transfer_of, updates_of
from fedprompt.workspace.site.pause import LedgerBroken, site_status

__all__ = ["draw_member", "draw_result", "draw_rounds_of"]

MEMBER = {"paused": ("paused", "orange"), "answers": ("answers tasks", "green"), "stopped": ("does not run", "gray")}


def draw_rounds_of(view: FederationView) -> None:
    """Draw the rounds so far: accuracy, how alike the updates were, and bytes."""
    names = [row.site for row in view.sites]
    if view.count == 0:
        st.caption("This study has no soft prompt, so there are no rounds. The sites only score its prompts.")
        _draw_traffic_of(view, names)
        return
    named("federation_rounds").header(f"Rounds: {len(view.rounds)} of {view.count}")
    if not view.rounds:
        st.caption("Before the first round, the sites score the study's prompts.")
        _draw_traffic_of(view, names)
        return
    draw_rounds(view.rounds, view.manual, names)
    st.markdown("**Similarity of the sites' updates**")
    rows = updates_of(workspace(), view)
    draw_updates(rows, names)
    if rows and view.run.result is not None:
        draw_contributions(view.run.id)
    _draw_traffic_of(view, names)


def _draw_traffic_of(view: FederationView, names: list[str]) -> None:
    if view.rounds or view.traffic.by_site:
        st.markdown("**Data sent and received**")
        draw_traffic(view.rounds, names, view.traffic)


def draw_result(view: FederationView, *, newest: bool) -> None:
    """Draw what a finished federation came to; of the ``newest`` Overview tells what joining gained each site."""
    result = view.run.result
    if result is None:
        return
    named("federation_result").header("Result")
    told = [gain.sentence for gain in gains_of(result)] if result.get("donors") else result.get("sentences") or []
    finding = finding_of(result) or result.get("headline") or next(iter(told), None)
    if finding:
        named("federation_finding").markdown(f":green[:material/hub:] {plain(sentence(str(finding)))}")
    found = result.get("prompts") or {}
    if prompt := found.get("federated") or found.get("manual"):
        draw_next_steps("federation", str(prompt), found.get("manual"))
    transfer, together = transfer_of(view)
    names = [row.site for row in view.sites]
    if result.get("test"):
        _draw_test(result["test"], names)
    if transfer:
        st.markdown("**Accuracy at each site**")
        named("transfer_said").caption(transfer_sentence(transfer, together))
        draw_transfer(transfer, together, names)
    icon = ":material/monitoring:"
    if newest and st.button("Gain from joining", key="federation_overview", icon=icon, type="tertiary"):
        go("overview")
    if not newest and told:
        with st.expander("Gain from joining"):
            for number, one in enumerate(told):
                named(f"federation_gain_{number}").markdown(plain(sentence(str(one))))


def _draw_test(test: Mapping[str, Mapping[str, Any]], names: list[str]) -> None:
    rows = [
        {
            "Prompt": words,
            "mean": 100 * test[name]["mean"],
            "95 %": between(test[name]["low"], test[name]["high"]),
            **{site: 100 * value for site, value in test[name]["by_site"].items() if site in names},
        }
        for name, words in labelled(test)
        if name != "local_only"  # its sites are the prompts' homes
    ]
    share = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            **{site: share for site in names},
            "mean": st.column_config.NumberColumn(
                "Accuracy", format="%.1f %%", help="Mean over the sites. Every site has the same weight."
            ),
            "95 %": st.column_config.TextColumn("95 % interval", help="95 % interval of the mean, in per cent."),
        },
        placeholder="not measured",
        alt="Test accuracy by site",
    )
    st.caption("Measured once on the test cases, after all choices were made.")


def draw_member(home: Home) -> None:
    """Draw how this machine's site stands in its federation. A site's machine controls no federation."""
    names = enrolled_sites(home)
    if not names:
        named("member_not_joined").info(
            "This site has not joined a federation yet. With the hub's invitation, run: fedprompt site init INVITE",
            icon=":material/lan:",
        )
        return
    for name in names:
        found = site_status(home, site=name)
        with st.container(border=True):
            running = found.running is not None
            state = "paused" if found.paused else "answers" if running else "stopped"
            words, colour = MEMBER[state]
            named(f"member_{state}_{name}").markdown(
                f"**{plain(name)}** in {plain(found.federation)} :{colour}-badge[{words}]"
            )
            named(f"member_hub_{name}").caption(
                f"Its hub is {plain(found.hub)}. Only the hub's operator starts rounds."
            )
            for study in found.studies:
                draw_accepted(study)
                for who, rows in (("model", study.models), ("judge", study.judges)):
                    for row in rows:
                        told = told_calls(row, who=f"the {who}")
                        named(f"member_{who}_{name}").caption(plain(" ".join(map(sentence, (told, *row.notes)))))
            if not found.studies:
                st.caption("No study is accepted yet. Review one with: fedprompt site study show FILE")
            ledger = found.ledger
            if isinstance(ledger, LedgerBroken):
                named(f"member_ledger_broken_{name}").error(plain(sentence(ledger.problem)), icon=":material/gpp_bad:")
                continue
            many = "1 reply has" if ledger.sent == 1 else f"{ledger.sent:,} replies have"
            refused = "1 was" if ledger.refused == 1 else f"{ledger.refused:,} were"
            told = (
                f"{many} left this site, {refused} refused, {ledger.bytes:,} bytes in total. The Trust page lists them."
            )
            place = named(f"member_sent_{name}" if ledger.entries else f"member_sent_nothing_{name}")
            place.caption(told if ledger.entries else "Nothing has left this site yet.")
