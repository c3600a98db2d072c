"""One thin file a page: read the session, call a workspace action, draw."""
