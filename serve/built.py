"""For ``serve build serve.built:app``: the application with its arguments from the environment.

``MGRAY_MODEL`` is the argument ``model``, ``MGRAY_DEFAULT_MODEL`` is ``default_model``, and so on.
Nothing happens at import: the application is made when its name is asked for.
"""

import os
from typing import Any

from serve.app import build
from serve.args import Args


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    told = {field: os.environ.get(f"MGRAY_{field.upper()}") for field in Args.model_fields}
    return build({field: value for field, value in told.items() if value})
