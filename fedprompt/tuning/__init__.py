"""How a prompt is made better on the cases of one site: gradient steps on a soft prompt."""
