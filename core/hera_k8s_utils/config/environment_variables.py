"""Variables of the environment that the framework itself reads, before any option is known."""

from __future__ import annotations

from typing import Final

DISABLE_VARIABLE: Final = "HERA_K8S_DISABLE_PLUGINS"
"""The variable that names plugins that are not to be loaded."""


TIMEOUT_VARIABLE: Final = "HERA_K8S_PLUGIN_TIMEOUT"
"""The variable that says for how many seconds each plugin may load."""
