"""The only call to a model, whoever asks it."""

from engine.core.clean import error_words
from engine.core.workflow import ModelClient, ModelReply, ModelRequest, OnDelta, StreamingModel
from engine.errors import EngineError, ModelError


async def reply_of(
    model: ModelClient, request: ModelRequest, hear: OnDelta | None = None
) -> ModelReply:
    """The model's reply; ModelError where its client breaks, and what it raises of ours.

    `hear` is told the text as it comes, where the model can tell it so.
    """
    try:
        if hear is not None and isinstance(model, StreamingModel):
            reply = await model.stream(request, hear)
        else:
            reply = await model.complete(request)
    except EngineError:
        raise
    except Exception as error:
        raise ModelError(f"the model client failed: {error_words(error)}") from error
    if not isinstance(reply, ModelReply):
        raise ModelError(f"the model client gave a {type(reply).__name__}, and no ModelReply")
    return reply
