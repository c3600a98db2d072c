"""Work on this site's own cases: score, tune, harden, and what it would take."""
