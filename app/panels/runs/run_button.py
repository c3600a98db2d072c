"""The button that runs everything a page holds, and the text box that tells what is typed and hears Ctrl+Enter.

Where it is disabled it says why.
"""

from zlib import crc32

import streamlit as st

from app.display.named import named
from app.visitor import barred

__all__ = ["ask_run", "bring_into_view", "run_at_ctrl_enter", "send_while_typing"]

PAUSE_MILLISECONDS = 600
_SCRIPT = """<script>
(() => {
  const key = "KEY", mark = "fedprompt_live_" + key;
  if (window[mark]) return;
  window[mark] = true;
  let timer = 0;
  document.addEventListener("input", (event) => {
    const box = event.target;
    const area = box instanceof HTMLTextAreaElement;
    if (!area && !box.closest("[data-testid=stTextInput]")) return;
    if (!box.closest("[class*=st-key-" + key + "]")) return;
    clearTimeout(timer);
    timer = setTimeout(() => box.dispatchEvent(
      new KeyboardEvent("keydown", {key: "Enter", code: "Enter", ctrlKey: area, bubbles: true})), PAUSE);
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

_SHOW = """<script>
(() => {
  const before = window.fedprompt_shown_KEY, place = document.querySelector(".st-key-KEY");
  window.fedprompt_shown_KEY = "MARK";
  if (before === undefined || before === "MARK" || !place) return;
  const box = place.getBoundingClientRect();
  if (box.top < window.innerHeight - 160 && box.bottom > 120) return;
  place.scrollIntoView({block: box.height < window.innerHeight ? "center" : "start"});
})();
</script>"""


def send_while_typing(key: str) -> None:
    """Make each box whose key begins so send what is typed at every pause in typing."""
    st.html(_SCRIPT.replace("KEY", key).replace("PAUSE", str(PAUSE_MILLISECONDS)), unsafe_allow_javascript=True)


def bring_into_view(key: str, mark: str) -> None:
    """Scroll to the container with this key once its ``mark`` changes, where it is not in sight already."""
    st.html(_SHOW.replace("KEY", key).replace("MARK", f"{crc32(mark.encode()):08x}"), unsafe_allow_javascript=True)


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
        st.caption(":material/keyboard: Ctrl+Enter also runs it.", text_alignment="center")
    elif not closed:
        named(f"{page}_lacking").caption(f":material/info: {lacking}", text_alignment="center")
    run_at_ctrl_enter(f"{page}_run")
    return pressed
