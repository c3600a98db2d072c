"""fedprompt: organisations find the best prompts together, without showing anyone their labelled cases.

Importing this package loads neither torch nor any other heavy library.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
