"""Failures of the program itself, one class per boundary a failure can cross.

An experiment that fails (out of memory, NaN, time-out, no metric) is a row in the ledger and never an exception.
These classes are for everything else: the campaign file is wrong, the disk is full, the scheduler is gone.

```text
AutoresearchError            exit code 1, one clear line
├── UsageError               exit code 2: wrong usage of the command line
├── CampaignError            what a person wrote: campaign file, stop words, hypothesis list
├── RecipeError              a recipe, its parents or its overrides
├── RepositoryError          git, or the state of the user's repository
├── LedgerError              ledger, journal or notes cannot be read or do not agree
├── StorageError             the disk: full, read-only, gone
├── HeldError                another controller holds the campaign
├── LauncherError            a launcher or its scheduler: no answer, or none that can be understood
│   ├── RefusedError         it answered: never, as the request stands
│   └── NotNowError          it answered: not now, ask again
├── ResearcherError          a researcher (agent, list, search) could not do its part
└── PluginError              an adapter name that is unknown or claimed twice
```

Messages say what happened, to what, and what to do now.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class AutoresearchError(Exception):
    """Base of all expected failures; the text is one clear line that says what to do."""

    exit_code = 1


class UsageError(AutoresearchError):
    """The command line cannot be executed as typed."""

    exit_code = 2


class CampaignError(AutoresearchError):
    """Something written for a campaign (file, stop rule, option) is wrong."""


class RecipeError(AutoresearchError):
    """A recipe, one of its parents, or an override is wrong."""


class RepositoryError(AutoresearchError):
    """Git refused, or the repository is not in a state to work from."""


class LedgerError(AutoresearchError):
    """The ledger, the journal or the notes are damaged and cannot be repaired automatically."""


class StorageError(AutoresearchError):
    """The disk is full, read-only or gone; nothing already recorded is lost."""


class HeldError(AutoresearchError):
    """Another controller is working on this campaign."""


class LauncherError(AutoresearchError):
    """A launcher or its scheduler could not do what was asked: it did not answer, or nobody knows what it meant.

    Waited out: nothing is concluded from it.
    """


class RefusedError(LauncherError):
    """A launcher's scheduler answered, and refuses for good: a wrong account, more than any node has, no permission.

    Asking again changes nothing. The campaign begins nothing more and stops; the run is submitted when it is continued.
    """


class NotNowError(LauncherError):
    """A launcher's scheduler answered, and takes nothing more at the moment: a limit of jobs per user, a quota, 429.

    Only this submission is held back; the runs in flight are followed as ever.
    """


class ResearcherError(AutoresearchError):
    """A researcher could not do its part; the campaign itself is fine."""


class PluginError(AutoresearchError):
    """No adapter of that name, or two of them."""


@contextmanager
def crossing(boundary: type[AutoresearchError], doing: str) -> Iterator[None]:
    """Name the boundary that any foreign exception inside the block has crossed.

    Args:
        boundary: The class a foreign exception becomes.
        doing: What was being done, in words, for the message.

    Raises:
        AutoresearchError: An exception of ours passes unchanged; any other is wrapped in `boundary`.
    """
    try:
        yield
    except AutoresearchError:
        raise
    except Exception as error:
        raise boundary(f"{doing}: {type(error).__name__}: {error}") from error
