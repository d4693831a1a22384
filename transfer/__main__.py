"""The command `transfer`, which `python -m transfer` is too."""

from __future__ import annotations

import sys

from transfer.stopping import BY_CTRL_C, INTERRUPTED


def main() -> None:
    """Run the command line; Ctrl-C while that is imported, which takes a second, ends it as it does from then on."""
    try:
        from transfer.cli import main as run

        run()
    except KeyboardInterrupt:
        print(BY_CTRL_C, file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
