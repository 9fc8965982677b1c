"""Every error the engine raises on purpose. A class's docstring is its default message."""


class EngineError(Exception):
    """The engine could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        """Take `message`, or the class's docstring."""
        super().__init__(message or type(self).__doc__)


class BadInputError(EngineError):
    """What was asked makes no sense as it stands; nothing was changed."""


class DefinitionError(BadInputError):
    """A workflow or a tool is declared wrongly."""


class AppError(BadInputError):
    """The application that holds the workflows cannot be loaded."""


class UnknownWorkflowError(BadInputError):
    """There is no workflow of that name."""


class UnknownRunError(BadInputError):
    """There is no run of that id."""


class ArchivedRunError(UnknownRunError):
    """The run was moved from the store into an archive."""


class UnknownCallError(BadInputError):
    """The run waits for no verdict on that call."""


class RefusedError(EngineError):
    """The run cannot take this command as it is; nothing was changed."""


class NotAllowedError(RefusedError):
    """This person may not decide this; nothing was changed."""


class RunExistsError(RefusedError):
    """There is a run of that id already."""


class AmbiguousCallError(RefusedError):
    """The run waits for verdicts on several calls; name one."""


class IllegalTransitionError(EngineError):
    """The machine has no such transition."""


class ConflictError(EngineError):
    """Somebody else has moved the run on meanwhile."""


class UnreadableRunError(EngineError):
    """The run cannot be read as it is stored; it was left untouched."""


class CorruptRunError(UnreadableRunError):
    """What is stored of the run does not hold together; the run is refused."""


class UnverifiedRunError(UnreadableRunError):
    """The run cannot be verified with the audit keys at hand; it is refused, and left untouched."""


class RunTooNewError(UnreadableRunError):
    """The run was written by a newer Waystation; it was left untouched."""


class RunBusy(EngineError):  # noqa: N818 # the field's own word
    """Somebody else drives the run."""


class NotExecuted(EngineError):  # noqa: N818 # what a tool says, rather than what went wrong
    """Raised by a tool: the call did nothing, for certain; it may be made again."""


class StoreError(EngineError):
    """The store cannot be used."""


class BadStoreUrlError(StoreError, BadInputError):
    """The store's address is of no known form."""


class NotAStoreError(StoreError):
    """The file is something other than a Waystation store."""


class StoreTooNewError(StoreError):
    """The store was written by a newer Waystation."""


class NotifyError(EngineError):
    """A notifier could not be told."""


class ModelError(EngineError):
    """The model could not be asked."""


class TransientModelError(ModelError):
    """The model gave no usable reply this time; another try may succeed."""

    def __init__(self, message: str | None = None, retry_after: float | None = None) -> None:
        """Take `message`, and for how many seconds the other side asks to be left alone."""
        super().__init__(message)
        self.retry_after = retry_after


class PermanentModelError(ModelError):
    """The model refuses this request; asking again would change nothing."""


class ContextOverflowError(PermanentModelError):
    """The request is longer than what the model can read; a shorter one may be answered."""
