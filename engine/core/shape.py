"""The base of every shape: frozen, and closed to fields it does not know."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A frozen record with exactly the fields it declares."""

    # Validators are built when a shape is first used: most commands use few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
