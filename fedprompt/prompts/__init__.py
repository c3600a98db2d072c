"""Values: templates, soft prompts, prompts and their content ids. Nothing heavier than numpy."""
