"""The actions that the command line and the pages share; neither does work of its own."""
