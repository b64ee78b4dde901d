# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The way in on the controller: the capability runs in the worker itself, without a module process."""

from __future__ import annotations

import codecs
import functools
import gc
import json
import ssl
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader, filter_loader, shell_loader

from ansible_collections.datain.azure_mysql.plugins.module_utils import _connection
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import DatainError
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import Capability, Share, run
from ansible_collections.datain.azure_mysql.plugins.plugin_utils import _inventory

# The names under which the roles and the playbook register the plans of a source and of a replica.
_PLANS = {_inventory.SOURCES: "__source_plan", _inventory.REPLICAS: "__preflight_plan"}
# Workers are forked from the process that imports this: what it has looked up, none of them looks up again.
filter_loader.get("ansible.builtin.default")
connection_loader.get("local", class_only=True)
shell_loader.get("sh")
codecs.lookup("idna")
codecs.lookup("ascii")
ssl.cert_time_to_seconds("Jan  1 00:00:00 2030 GMT")
_connection.prepare_tls()
# Nor does any of them go through what is in memory for garbage, which would copy it, nor the run itself at its end.
gc.freeze()


class CapabilityAction(ActionBase):
    """Runs a capability in the worker where that is the same thing, and as an ordinary module everywhere else.

    It is the same thing where the task's connection is local, nobody becomes another user, nothing is asynchronous,
    no environment is set, and the driver can be imported here.

    On a host of the two groups, options that the task leaves out come from the host's ``datain_`` variables.
    """

    capability: Capability
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        from_inventory, problems = self._from_inventory(task_vars)
        if problems:
            return {**result, "failed": True, "changed": False, "msg": _inventory_message(problems), "problems": problems}
        try:
            arguments = self.capability.prepare({**from_inventory, **self._task.args})
        except DatainError as error:
            return {**result, "failed": True, "changed": False, **error.to_result()}
        if not self._is_local():
            wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
            return self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=wrap_async)
        return {**result, **self._run_here(arguments, task_vars.get("inventory_hostname", ""))}

    def _run_here(self, arguments: dict[str, t.Any], host: str, share: Share | None = None) -> dict[str, t.Any]:
        """Run the capability in this worker."""
        capability = self.capability
        # Since core 2.19 values carry tags in types of their own: the driver takes them for strangers, and to validate them takes
        # twice as long.
        plain = json.loads(json.dumps(arguments, default=str))
        validation = ArgumentSpecValidator(capability.argument_spec, **capability.rules).validate(plain)
        if validation.error_messages:
            error = validation.errors[0]
            message = str(error)
            if isinstance(error, UnsupportedError):
                message = f"Unsupported parameters for ({self._task.action}) module: {error}"
            return {"failed": True, "changed": False, "msg": message}
        return run(
            capability,
            validation.validated_parameters,
            check_mode=bool(self._task.check_mode),
            diff=bool(self._task.diff),
            progress=lambda text: self._display.display(f"  [{host}] {text}"),
            share=share,
        )

    def _from_inventory(self, task_vars: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        """Return the options that the inventory gives and the task does not, and what is wrong with the inventory."""
        host = task_vars.get("inventory_hostname", "")
        group = _inventory.SOURCES if self.capability.side == "source" else _inventory.REPLICAS
        missing = set(self.capability.argument_spec) - set(self._task.args)
        if host not in ((task_vars.get("groups") or {}).get(group) or ()) or not missing:
            return {}, []
        inventory = self._inventory(task_vars)
        problems = self._inventory_problems(inventory, host)
        if problems:
            return {}, problems
        options = _inventory.source_options if group == _inventory.SOURCES else _inventory.link_options
        return {name: value for name, value in options(inventory, host).items() if name in missing and value is not None}, []

    def _inventory(self, task_vars: dict[str, t.Any]) -> _inventory.Inventory:
        host, others = task_vars.get("inventory_hostname", ""), task_vars["hostvars"]

        def read(name: str) -> _Variables:
            if name == host:
                return _Variables(task_vars, lambda variable: self._templar.template(task_vars[variable]))
            whole = functools.cache(lambda: others[name])
            return _Variables(others.raw_get(name), lambda variable: whole()[variable])

        def planned(name: str, group: str) -> t.Mapping[str, t.Any]:
            return (others.raw_get(name) if name in others else {}).get(_PLANS[group]) or {}

        return _inventory.Inventory(task_vars.get("groups") or {}, read, planned)

    def _inventory_problems(self, inventory: _inventory.Inventory, host: str) -> list[str]:
        """Return what is wrong with what the inventory says about this host."""
        return (_inventory.source_problems if self.capability.side == "source" else _inventory.link_problems)(inventory, host)

    def _is_local(self) -> bool:
        return (
            self._connection.transport in ("local", "ansible.builtin.local")
            and not self._play_context.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and _connection.pymysql is not None
        )


class _Variables:
    """The variables of a host, templated one by one as they are asked for, and only where there is something to template.

    :param raw: as they stand in the inventory; of the host at hand a play's own are among them
    :param templated: returns one of them, templated
    """

    def __init__(self, raw: t.Mapping[str, t.Any], templated: t.Callable[[str], t.Any]) -> None:
        self._raw = raw
        self._templated = templated

    def get(self, name: str, default: t.Any = None) -> t.Any:
        if name not in self._raw:
            return default
        value = self._raw[name]
        plain = "{" not in value if isinstance(value, str) else isinstance(value, (int, float, type(None)))
        return value if plain else self._templated(name)


def _inventory_message(problems: list[str]) -> str:
    return "The inventory cannot be meant, so no server was touched. " + " ".join(f"({number}) {text}." for number, text in enumerate(problems, 1))
