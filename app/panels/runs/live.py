"""Hands a text box's content to the page while the visitor types, and runs the page at Ctrl+Enter.

Streamlit sends a text area when it loses focus or at Ctrl+Enter; the first script presses Ctrl+Enter for the visitor
at each pause. The second hears only keys that a person pressed. Where scripts do not run, Ctrl+Enter sends the box.
"""

import streamlit as st

__all__ = ["run_at_ctrl_enter", "send_while_typing"]

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
