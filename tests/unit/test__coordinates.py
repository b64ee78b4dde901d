# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a link starts, in an operator's own words."""

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._coordinates import explicit_start
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import InputError
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates, Start


class TestExplicit:
    UUID = "0b6b1e9c-0000-11ef-8000-000000000001"

    @pytest.mark.parametrize("value", [None, {}, {"file": None, "position": None, "gtid": None}, {"gtid": ""}])
    def test_none(self, value):
        assert explicit_start(value, "mysql") is None

    def test_position(self):
        found = explicit_start({"file": "b.000001", "position": 400, "gtid": None}, "mariadb")
        assert found == Start(Coordinates("b.000001", 400), None, "explicit")

    @pytest.mark.parametrize(
        ("flavour", "gtid"),
        [
            ("mysql", f"{UUID}:1-5"),
            ("mysql", f"{UUID}:1-5:7,\n{UUID}:1"),
            ("mysql", f"{UUID}:tag:1-5"),
            ("mariadb", "0-1-270"),
            ("mariadb", "0-1-270,3-7-1"),
        ],
    )
    def test_gtid(self, flavour, gtid):
        assert explicit_start({"gtid": gtid}, flavour).gtid == gtid.replace("\n", "")

    @pytest.mark.parametrize(
        ("flavour", "value"),
        [
            ("mysql", {"gtid": "0-1-270"}),
            ("mariadb", {"gtid": f"{UUID}:1-5"}),
            ("mysql", {"gtid": "nonsense"}),
            ("mysql", {"file": "b.000001"}),
            ("mysql", {"position": 4}),
            ("mysql", {"file": "b.000001", "position": 3}),
            ("mysql", {"file": "b.000001", "position": -1}),
            ("mysql", {"file": "binlog", "position": 4}),
            ("mysql", {"file": "b.000001", "position": 400, "gtid": f"{UUID}:1-5"}),
        ],
    )
    def test_bad(self, flavour, value):
        with pytest.raises(InputError) as caught:
            explicit_start(value, flavour)
        assert "datain_link_coordinates" in caught.value.hint
