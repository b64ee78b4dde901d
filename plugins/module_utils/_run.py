# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What a capability is, and the one way in which modules and action plugins alike run it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule

from ._connection import Connection, Login
from ._errors import DatainError
from ._server import Server
from ._sql import Redactor

LOGIN_OPTIONS: dict[str, t.Any] = {
    "login_host": {"type": "str", "required": True},
    "login_port": {"type": "int", "default": 3306},
    "login_user": {"type": "str", "required": True},
    "login_password": {"type": "str", "no_log": True},
    "login_tls": {
        "type": "str",
        "choices": ["disabled", "preferred", "required", "verify_ca", "verify_identity"],
        "default": "preferred",
    },
    "login_ca": {"type": "str", "default": ""},
    "connect_timeout": {"type": "int", "default": 10},
    "read_timeout": {"type": "int", "default": 30},
    "write_timeout": {"type": "int", "default": 30},
}
# A module about a link logs in to two servers: its own login is the replica's, the source's is an option of its own.
SOURCE_OPTION: dict[str, t.Any] = {"type": "dict", "required": True, "options": LOGIN_OPTIONS}

Progress = t.Callable[[str], None]
Share = t.Callable[[Login], Connection]


@dataclass
class Context:
    """What a capability is given: its options, how far it may go, and the servers, each opened once and closed for it.

    :param parameters: the validated options
    :param check_mode: decide, but change nothing
    :param progress: tells a person how far a long step is; it may do nothing
    :param share: opens a session with the source that may answer with what was read for another replica; whoever needs the
        source itself takes it away before
    """

    parameters: dict[str, t.Any]
    check_mode: bool = False
    progress: Progress = lambda text: None
    side: str = "replica"
    share: Share | None = None
    _servers: dict[str, Server] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def login(self, side: str) -> Login:
        options = self.parameters if side == self.side else self.parameters["source"]
        return Login(
            side=side,
            host=options["login_host"],
            port=options["login_port"],
            user=options["login_user"],
            password=options["login_password"] or "",
            tls=options["login_tls"],
            ca=options["login_ca"] or "",
            connect_timeout=options["connect_timeout"],
            read_timeout=options["read_timeout"],
            write_timeout=options["write_timeout"],
        )

    def _server(self, side: str) -> Server:
        if side not in self._servers:
            login = self.login(side)
            self._servers[side] = Server(self.share(login)) if self.share and side == "source" else Server.open(login)
        return self._servers[side]

    @property
    def source(self) -> Server:
        return self._server("source")

    @property
    def replica(self) -> Server:
        return self._server("replica")

    def close(self) -> None:
        for server in self._servers.values():
            server.close()


@dataclass(frozen=True)
class Capability:
    """One decision: its options and the function that reads, plans and, where it may, applies.

    :param side: whose login the top-level options are
    :param run: returns the result; ``changed`` is required, ``diff`` is {before, after}
    :param rules: mutually_exclusive, required_if and the like, as Ansible takes them
    :param logs_in: it speaks to servers, so it has the options of a login
    :param prepare: what is done to a task's options on the controller, before they go anywhere
    """

    name: str
    options: dict[str, t.Any]
    run: t.Callable[[Context], dict[str, t.Any]]
    side: str = "replica"
    rules: dict[str, t.Any] = field(default_factory=dict)
    logs_in: bool = True
    prepare: t.Callable[[dict[str, t.Any]], dict[str, t.Any]] = dict

    @property
    def argument_spec(self) -> dict[str, t.Any]:
        return {**(LOGIN_OPTIONS if self.logs_in else {}), **self.options}


def secrets_of(options: dict[str, t.Any], values: dict[str, t.Any] | None) -> t.Iterator[str]:
    """Yield the values of every option that is a secret, however deep."""
    for name, option in options.items():
        value = (values or {}).get(name)
        if option.get("no_log") and isinstance(value, str):
            yield value
        elif option.get("options"):
            for item in value if isinstance(value, list) else [value]:
                yield from secrets_of(option["options"], item)


def run(
    capability: Capability,
    parameters: dict[str, t.Any],
    *,
    check_mode: bool,
    diff: bool,
    progress: Progress | None = None,
    share: Share | None = None,
) -> dict[str, t.Any]:
    """Run a capability and return what the task returns, with ``failed`` set where it failed.

    The one place where results are built: both ways in go through here, so every secret is masked in every form.
    """
    context = Context(parameters, check_mode=check_mode, side=capability.side, share=share)
    redactor = Redactor(secrets_of(capability.argument_spec, parameters))
    if progress:
        context.progress = lambda text: progress(redactor.text(text))
    try:
        result = capability.run(context)
    except DatainError as error:
        result = {"failed": True, "changed": False, **error.to_result()}
    finally:
        context.close()
    result.setdefault("changed", False)
    if not diff:
        result.pop("diff", None)
    if context.warnings:
        result["warnings"] = context.warnings
    return redactor.value(result)


def run_module(capability: Capability) -> None:
    """The way in on a host: an ordinary module process."""
    module = AnsibleModule(argument_spec=capability.argument_spec, supports_check_mode=True, **capability.rules)
    result = run(capability, module.params, check_mode=module.check_mode, diff=module._diff)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
