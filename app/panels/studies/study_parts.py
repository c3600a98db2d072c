"""The parts of a study's form. Each draws its boxes and returns what they hold, under the study's own names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.panels.variants.conversion import offer_rewriting
from fedprompt.strategies.registry import strategy_names

__all__ = ["ask_rounds", "ask_soft", "ask_templates", "ask_what"]

MOST_SHOWN = 40
RUBRIC = "The text says the same as the correct answer. It adds nothing that is wrong."
Body = Mapping[str, Any]


def ask_what(body: Body, key: str) -> dict[str, Any]:
    """Draw name, model and answers."""
    grid = st.grid(2, min_column_width=220)
    with grid.cell():
        name = st.text_input("Study name", value=body["study"], key=f"{key}_name", max_chars=80)
    with grid.cell():
        model = st.text_input(
            "Model",
            value=body["model"],
            key=f"{key}_model",
            max_chars=300,
            help="A model of this machine by name, a Hugging Face id, or a folder. Every site must have the same "
            "model.",
        )
    found: dict[str, Any] = {"study": name, "model": model}
    answer = body["answer"]
    if answer["type"] == "choice":
        typed = st.text_area(
            "Labels, one per line",
            value="\n".join(answer["labels"]),
            key=f"{key}_labels",
            height=min(200, 60 + 24 * len(answer["labels"])),
            help="Written as in the file. A prompt can use other words for them: edit the YAML.",
        )
        labels = [line.strip() for line in (typed or "").splitlines() if line.strip()]
        found["answer"] = {**answer, "labels": labels}
    else:
        found["answer"] = {**answer, "scorers": _ask_judged(answer["scorers"], key)}
    return found


def _ask_judged(scorers: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Draw whether a model judges the texts, and by which rubric; return the scorers with it, or without it."""
    others = [one for one in scorers if one["name"] != "judge"]
    given = next((one for one in scorers if one["name"] == "judge"), None)
    if not st.toggle(
        "A model judges the texts",
        value=given is not None,
        key=f"{key}_judged",
        help="It gives points by a rubric. Each site chooses its own model for that, and the study names none.",
    ):
        return others or [{"name": "exact"}]
    options = dict((given or {}).get("options") or {})
    rubric = st.text_area(
        "Rubric: what a good text is",
        value=options.get("rubric", RUBRIC),
        key=f"{key}_rubric",
        height=90,
        max_chars=10_000,
    )
    return [*others, {**(given or {"name": "judge"}), "options": {**options, "rubric": rubric}}]


def ask_templates(body: Body, key: str, replace: Callable[[Sequence[Mapping[str, Any]]], None]) -> dict[str, Any]:
    """Draw the candidate prompts, and a button for one more.

    Args:
        replace: called with all templates where one is added or taken out, after which the form is made anew.
    """
    st.markdown("**Prompts**", help="Available fields: " + ", ".join(f"{{{f}}}" for f in body["fields"]))
    templates: list[dict[str, Any]] = list(body["templates"])
    found = [
        _ask_template(spec, f"{key}_template_{place}", len(templates) > 1, body["fields"])
        if place < MOST_SHOWN
        else spec
        for place, spec in enumerate(templates)
    ]
    kept = [one for one in found if one is not None]
    if len(kept) < len(found):
        replace(kept)
        st.rerun()
    if st.button("Add prompt", key=f"{key}_add", icon=":material/add:"):
        replace(
            [*kept, {"name": _free({str(one["name"]) for one in kept}), "text": f"{{{body['fields'][0]}}}\nAnswer:"}]
        )
        st.rerun()
    if len(templates) > MOST_SHOWN:
        st.caption(f"The form shows the first {MOST_SHOWN} of {len(templates)}. Edit the others as YAML.")
    return {"templates": kept}


def _free(taken: set[str]) -> str:
    return next(name for number in range(1, 2000) if (name := f"mine {number}") not in taken)


def _ask_template(spec: Mapping[str, Any], key: str, removable: bool, fields: Sequence[str]) -> dict[str, Any] | None:
    """Draw one prompt; return it, or None once it is taken out. One of several messages is edited in YAML."""
    messages = spec.get("messages")
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name", value=spec["name"], key=f"{key}_name", max_chars=80)
            out = removable and st.button(
                "Remove", key=f"{key}_out", icon=":material/close:", type="tertiary", help="Remove this prompt"
            )
        if out:
            return None
        if messages is not None and len(messages) > 1:
            st.caption("A conversation of several messages. Edit it as YAML.")
            return {**spec, "name": name}
        given = spec["text"] if messages is None else messages[0]["content"]
        lines = given.count("\n") + len(given) // 60 + 1
        text = st.text_area(
            "Text" if messages is None else "Text (sent in the model's chat format)",
            value=given,
            key=f"{key}_text",
            height=min(220, 50 + 26 * lines),
            max_chars=100_000,
        )
        offer_rewriting(f"{key}_text", text or "", fields)
    if messages is None:
        return {**spec, "name": name, "text": text}
    return {**spec, "name": name, "messages": [{**messages[0], "content": text}]}


def ask_soft(body: Body, key: str) -> dict[str, Any]:
    """Draw the soft prompt: whether there is one, where it stands, how long it is and what it starts from."""
    soft = body["soft"]
    first = body["fields"][0]
    given = soft or {"template": f"{{{first}}}{{soft}}\nAnswer:", "tokens": 8, "init": "Overall, the answer is"}
    if not st.toggle("Tune a soft prompt", value=soft is not None, key=f"{key}_soft"):
        return {"soft": None}
    found = {**given, **_ask_slot(given, f"{key}_soft", body["fields"])}
    grid = st.grid(3, min_column_width=180)
    with grid.cell():
        found["tokens"] = int(st.number_input("Vectors", 1, 512, int(given["tokens"]), key=f"{key}_soft_tokens"))
    with grid.cell():
        if isinstance(given["init"], str):
            found["init"] = st.text_input("Initial text", value=given["init"], key=f"{key}_soft_init", max_chars=2000)
    with grid.cell():
        shots = given.get("demonstrations")
        count = st.number_input(
            "Examples",
            0,
            64,
            0 if shots is None else int(shots["count"]),
            key=f"{key}_soft_shots",
            help="Number of the site's own cases shown as examples, at {{demonstrations}}. They never leave the "
            "site. Each example makes every case slower.",
        )
    found["demonstrations"] = {**(shots or {}), "count": int(count)} if count else None
    return {"soft": found}


def _ask_slot(given: Mapping[str, Any], key: str, fields: Sequence[str]) -> dict[str, Any]:
    """Draw the text or the messages that the slot stands in; a longer conversation is edited in YAML."""
    messages = given.get("messages")
    place = "{soft} marks the position of the tuned vectors. After the text is fastest."
    sent = st.segmented_control(
        "Format",
        ["Text", "Chat"],
        default="Text" if messages is None else "Chat",
        key=f"{key}_sent",
        required=True,
        help="Text: the model continues the text. Chat: messages in the model's own chat format.",
    )
    if sent == "Text":
        text = given.get("template") or "\n".join(one["content"] for one in messages or ())
        text = st.text_area("Text with {soft}", value=text, key=f"{key}_template", height=90, help=place)
        offer_rewriting(f"{key}_template", text or "", fields)
        return {"template": text, "messages": None}
    roles = tuple(one["role"] for one in messages or ())
    if roles not in ((), ("user",), ("system", "user")):
        st.caption("A conversation of several messages. Edit it as YAML.")
        return {"template": None, "messages": messages}
    before = messages[0]["content"] if messages and len(messages) == 2 else ""
    asked = messages[-1]["content"] if messages else given.get("template")
    system = st.text_area("System message", value=before, key=f"{key}_system", height=90, help=f"Optional. {place}")
    user = st.text_area("User message", value=asked, key=f"{key}_user", height=90, help=place)
    offer_rewriting(f"{key}_user", user or "", fields)
    told = [{"role": "system", "content": system}] if system else []
    return {"template": None, "messages": [*told, {"role": "user", "content": user}]}


def ask_rounds(body: Body, key: str, soft: bool) -> dict[str, Any]:
    """Draw steps, rounds, waiting, strategy, privacy, what the hub keeps and what it compares with.

    Args:
        soft: whether a soft prompt is tuned; without one there are no updates and nothing to tune alone.
    """
    tuning, rounds = body["tuning"], body["rounds"]
    grid = st.grid(3, min_column_width=150)
    with grid.cell():
        count = st.number_input("Rounds", 1, 1000, int(rounds["count"]), key=f"{key}_rounds")
    with grid.cell():
        steps = st.number_input("Steps per round", 1, 10_000, int(tuning["steps"]), key=f"{key}_steps")
    with grid.cell():
        batch = st.number_input("Cases per step", 1, 1024, int(tuning["batch"]), key=f"{key}_batch")
    with grid.cell():
        lr = st.number_input("Learning rate", 0.0001, 10.0, float(tuning["lr"]), format="%.4g", key=f"{key}_lr")
    with grid.cell():
        quorum = st.number_input(
            "Sites required",
            0,
            10_000,
            int(rounds["quorum"] or 0),
            key=f"{key}_quorum",
            help="0 = all sites. After the deadline, a round continues once this many sites have answered.",
        )
    with grid.cell():
        deadline = st.number_input(
            "Deadline (seconds)",
            0.0,
            None,
            0.0 if rounds["deadline"] == "auto" else float(rounds["deadline"]),
            key=f"{key}_deadline",
            help="0 = automatic: twice the slowest time so far.",
        )
    with grid.cell():
        strategy = _ask_strategy(rounds["strategy"], key)
    with grid.cell():
        least = st.number_input(
            "Minimum cases per number",
            1,
            None,
            int(body["privacy"]["min_cases"]),
            key=f"{key}_min_cases",
            help="Numbers computed over fewer cases never leave a site.",
        )
    sums = rounds.get("secure_sums")
    hide = st.toggle(
        "Hide each site's update (secure sums)",
        value=sums not in (None, False),
        key=f"{key}_secure_sums",
        disabled=not soft,
        help="The hub gets only the sum of each round's updates. This excludes kept updates, tuning alone, groups, and "
        "strategies that compare updates. Sites on their own machines also need their keys in the study: edit it as "
        "YAML.",
    )
    keep = st.toggle(
        "Keep each site's updates",
        value=bool(rounds.get("keep_updates")),
        key=f"{key}_keep_updates",
        disabled=not soft or hide,
        help="The hub can then plot the length and direction of each update, and remove a site later. Its bank "
        "holds each site's updates as well as their sums.",
    )
    alone = st.toggle(
        "Compare with tuning alone",
        value=bool(rounds.get("alone")),
        key=f"{key}_alone",
        disabled=not soft or hide or rounds.get("personal") is not None,
        help="Each site also tunes alone. This shows each site's gain from joining, but takes twice as long. Each "
        "site's own prompt is sent to the other sites."
        if rounds.get("personal") is None
        else "Each site keeps its own prompt private in this study ('personal'), so other sites cannot score it.",
    )
    return {
        "tuning": {**tuning, "steps": int(steps), "batch": int(batch), "lr": float(lr)},
        "rounds": {
            **rounds,
            "count": int(count),
            "quorum": int(quorum) or None,
            "deadline": float(deadline) or "auto",
            "strategy": strategy,
            "keep_updates": soft and keep and not hide,
            "alone": soft and alone and not hide,
            "secure_sums": (sums or True) if soft and hide else None,
        },
        "privacy": {**body["privacy"], "min_cases": int(least)},
    }


def _ask_strategy(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    names = strategy_names()
    name = st.selectbox(
        "Strategy",
        names,
        index=names.index(given["name"]) if given["name"] in names else 0,
        key=f"{key}_strategy",
        help="How the hub combines the sites' updates. Edit the options of a strategy as YAML.",
    )
    return dict(given) if name == given["name"] else {"name": str(name)}
