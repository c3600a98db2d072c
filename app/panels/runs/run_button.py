"""The button that runs everything a page holds, and the text box that tells what is typed and hears Ctrl+Enter.

Where it is disabled it says why.
"""

import streamlit as st

from app.display.named import named
from app.visitor import barred

__all__ = ["ask_run", "run_at_ctrl_enter", "send_while_typing"]

PAUSE_MILLISECONDS = 600
_SCRIPT = """<script>
(() => {
  const key = "KEY", mark = "fedprompt_live_" + key;
  if (window[mark]) return;
  window[mark] = true;
  let timer = 0;
  document.addEventListener("input", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLTextAreaElement) || !box.closest(".st-key-" + key)) return;
    clearTimeout(timer);
    timer = setTimeout(() => box.dispatchEvent(
      new KeyboardEvent("keydown", {key: "Enter", code: "Enter", ctrlKey: true, bubbles: true})), PAUSE);
  }, true);
})();
</script>"""
_RUN = """<script>
(() => {
  const mark = "fedprompt_run_KEY";
  if (window[mark]) return;
  window[mark] = true;
  document.addEventListener("keydown", (event) => {
    if (!event.isTrusted || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    if (!document.querySelector(".st-key-KEY")) return;  // another page is shown
    // The box is sent first; the button may become enabled by what it holds.
    let left = 100;
    const press = () => {
      const app = document.querySelector("[data-testid=stApp]");
      const button = document.querySelector(".st-key-KEY button:not([disabled])");
      if (button && app && app.dataset.testScriptState === "notRunning") button.click();
      else if (left-- > 0) setTimeout(press, 150);
    };
    setTimeout(press, 250);
  }, true);
})();
</script>"""


def send_while_typing(key: str) -> None:
    """Make the text area with this key send itself at every pause in typing."""
    st.html(_SCRIPT.replace("KEY", key).replace("PAUSE", str(PAUSE_MILLISECONDS)), unsafe_allow_javascript=True)


def run_at_ctrl_enter(key: str) -> None:
    """Press the button with this key when a person presses Ctrl+Enter (or Command+Enter) anywhere on its page."""
    st.html(_RUN.replace("KEY", key), unsafe_allow_javascript=True)


def ask_run(page: str, label: str, lacking: str | None) -> bool:
    """Draw the button and return whether it was pressed.

    Args:
        page: begins its key.
        label: what it says.
        lacking: what has to be given before it can be pressed, in a sentence.
    """
    closed = barred("try")
    pressed = st.button(
        label,
        key=f"{page}_run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=closed or lacking is not None,
        width="stretch",
    )
    if lacking is None:
        st.caption(":material/keyboard: Ctrl+Enter runs it too.", text_alignment="center")
    elif not closed:
        named(f"{page}_lacking").caption(f":material/info: {lacking}", text_alignment="center")
    run_at_ctrl_enter(f"{page}_run")
    return pressed
