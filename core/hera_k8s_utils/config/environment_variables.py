"""Environment variables that are read before options are known."""

from __future__ import annotations

from typing import Final

DISABLE_VARIABLE: Final = "HERA_K8S_DISABLE_PLUGINS"
"""The plugins that are not loaded."""

TIMEOUT_VARIABLE: Final = "HERA_K8S_PLUGIN_TIMEOUT"
"""The time limit for loading each plugin, in seconds."""
