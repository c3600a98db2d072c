"""The browser's side: navigation, the session, and the drawn pieces that several pages share."""
