"""The simulator behind real sockets: carrier plane, callbacks, control plane."""

from __future__ import annotations
