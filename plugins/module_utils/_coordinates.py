# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Where a link starts, in an operator's own words."""

from __future__ import annotations

import re
import typing as t

from ._errors import InputError
from ._model import MARIADB, MYSQL, Coordinates, Start

COORDINATES_OPTION: dict[str, t.Any] = {
    "type": "dict",
    "options": {"file": {"type": "str"}, "position": {"type": "int"}, "gtid": {"type": "str"}},
}

_MYSQL_GTID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(:[a-z_]\w{0,31})?(:\d+(-\d+)?(:[a-z_]\w{0,31})?)+"
_GTID_FORMS = {MYSQL: rf"{_MYSQL_GTID}(,{_MYSQL_GTID})*", MARIADB: r"\d+-\d+-\d+(,\d+-\d+-\d+)*"}


def explicit_start(value: dict[str, t.Any] | None, flavour: str) -> Start | None:
    """Return the coordinates that an operator gives, or None for none.

    :raises InputError: they are no coordinates, or two kinds at once
    """
    given = {key: item for key, item in (value or {}).items() if item not in (None, "")}
    if not given:
        return None
    hint = "give datain_link_coordinates as {file: binlog.000123, position: 4567} or as {gtid: …}"
    if set(given) not in ({"file", "position"}, {"gtid"}):
        raise InputError("coordinates are a file and a position, or a GTID, not " + " and ".join(sorted(given)), hint=hint)
    if "gtid" in given:
        gtid = re.sub(r"\s+", "", given["gtid"])
        if not re.fullmatch(_GTID_FORMS[flavour], gtid):
            raise InputError(f"{gtid!r} is no GTID of {'MariaDB' if flavour == MARIADB else 'MySQL'}", hint=hint)
        return Start(None, gtid, "explicit")
    try:
        return Start(Coordinates(given["file"], int(given["position"])), None, "explicit")
    except ValueError as error:
        raise InputError(f"{error}", hint=hint) from None
