"""Hands a text box's content to the page while the visitor types, a moment after each pause.

Streamlit sends a text area when it loses focus or at Ctrl+Enter; this presses Ctrl+Enter for the visitor.
Where the script does not run, those two still work.
"""

import streamlit as st

__all__ = ["send_while_typing"]

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


def send_while_typing(key: str) -> None:
    """Make the text area with this key send itself at every pause in typing."""
    st.html(_SCRIPT.replace("KEY", key).replace("PAUSE", str(PAUSE_MILLISECONDS)), unsafe_allow_javascript=True)
