"""``python -m fedprompt.cli``, where the console script is not on the path."""

from fedprompt.cli.main import run

if __name__ == "__main__":
    run()
