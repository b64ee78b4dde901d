# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""A link in our own keys."""

from __future__ import annotations

import typing as t

from ._advice import explained
from ._model import Channel


def link_result(channel: Channel | None) -> dict[str, t.Any]:
    """Return a link in our own keys, the same from every module; no channel is the state ``absent``."""
    empty = Channel("", "", 0, "", 0, None, "stopped", "stopped", None, None, "", 0, None, None, None, False, False, None, None, None)
    result = (channel or empty).to_result()
    if channel is None:
        result.update(dict.fromkeys(result), state="absent")
    else:
        result.update(receiver_error=explained(channel.receiver_error, channel), applier_error=explained(channel.applier_error, channel))
    return result
