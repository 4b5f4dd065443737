"""The command ``ecgstream``: runs a command line and turns every failure into one line and an exit status."""

import sys
import traceback
from collections.abc import Sequence

from ecgstream.failures import complain

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; exits with 0 on success, 2 on wrong usage, 1 with one line on standard error otherwise.

    Parameters
    ----------
    arguments : the words behind the command's name; those of this process by default
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Taken anywhere on the line: who sees an error repeats the line and adds it at the end.
    debug = "--debug" in given
    given = [each for each in given if each != "--debug"]
    try:
        from ecgstream.app import app

        app(given, prog_name="ecgstream")
    except SystemExit:
        raise
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BaseException as error:  # noqa: BLE001  # the last place where it can be told in one line
        if debug:
            traceback.print_exc()
        complain(error)
        sys.exit(_status(error))


def _status(error: BaseException) -> int:
    from ecgstream.settings import OptionError

    return WRONG_USAGE if isinstance(error, OptionError) else FAILED


if __name__ == "__main__":
    main()
