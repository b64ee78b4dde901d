# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: a shop's server and a stand-in for a managed one, linked by the onboard playbook while the shop goes on.

Everything it needs beyond Python comes from the package registries, into the cache of this user; everything it starts
carries its mark in the environment, and is found again by that, whatever happened in between.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

import place
from client import Client, ClientError, Customers, standing_still
from screen import Playbook, Screen

ROOT = place.ROOT
LAB = ROOT / "tests" / "lab"
SERVER = "mysql-8.0.33"
SERVICE = "mysql_flexible_server"
SOURCE, REPLICA = "shop-db", "shop-azure"
ORDERS_A_SECOND = 30
STEPS = 8
# After so many seconds without a word something is said.
SILENCE = 5
# Nothing of the person's own settings shall decide what is seen here.
FOREIGN = ("ANSIBLE_", "PYTHON", "MYSQL_", "DATAIN_LAB_")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

COUNT_OBJECTS = """
SELECT 'view', COUNT(*) FROM information_schema.views WHERE table_schema = 'shop'
UNION ALL SELECT 'trigger', COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'shop'
UNION ALL SELECT 'routine', COUNT(*) FROM information_schema.routines WHERE routine_schema = 'shop'
UNION ALL SELECT 'event', COUNT(*) FROM information_schema.events WHERE event_schema = 'shop';
"""
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' AND table_type = 'BASE TABLE' ORDER BY 1;"


class DemoError(Exception):
    """What was to be shown is not so."""


def environment() -> dict[str, str]:
    """Return what children are started with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    cache = {"DATAIN_LAB_CACHE": os.environ["DATAIN_LAB_CACHE"]} if "DATAIN_LAB_CACHE" in os.environ else {}
    return {**kept, **cache, **place.mark(), "DATAIN_LAB_DIR": str(place.STATE / "lab"), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


class Demo:
    """The steps, in the order in which they are shown."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.environment = environment()
        self.python = Path(sys.executable)
        self.servers: dict[str, dict[str, Any]] = {}
        self.open = contextlib.ExitStack()

    # ---------------------------------------------------------------- what it needs

    def prepare(self) -> None:
        # What fetches the server is small; the rest of the environment comes while that works.
        self.python = self.venv("fetch")
        with ThreadPoolExecutor(1) as pool:
            fetched = pool.submit(self.run, f"fetching {SERVER}", self.lab("fetch", SERVER))
            self.python = self.venv("runtime")
            fetched.result()
        tree = Path(self.run("linking the tree", [str(ROOT / "tests/tools/tree.sh")]).strip())
        playbook = self.python.with_name("ansible-playbook")
        version = self.run("ansible-playbook --version", [str(playbook), "--version"]).partition("\n")[0]
        place.write_private(place.STATE / "ansible.cfg", self.settings(tree))
        script = f"#!/bin/sh\nANSIBLE_CONFIG={shlex.quote(str(place.STATE / 'ansible.cfg'))} exec {shlex.quote(str(playbook))} \"$@\"\n"
        place.write_private(place.STATE / "ansible-playbook", script, 0o700)
        self.screen.say(f"{version.replace('ansible-playbook [core', 'ansible-core').rstrip(']')} and {SERVER}; nothing was installed on this machine")

    def venv(self, name: str) -> Path:
        return Path(self.run(f"making the environment '{name}'", [str(ROOT / "tests/tools/venv.sh"), name]).strip()) / "bin" / "python"

    @staticmethod
    def settings(tree: Path) -> str:
        values = {
            "home": place.STATE / "ansible",
            "collections_path": tree,
            "inventory": place.STATE / "inventory.yml",
            "stdout_callback": "ansible.builtin.default",
            "callback_result_format": "yaml",
            "deprecation_warnings": "false",
            "localhost_warning": "false",
            "host_pattern_mismatch": "error",
            "retry_files_enabled": "false",
            "nocows": "true",
        }
        return "[defaults]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())

    def lab(self, *words: str) -> list[str]:
        return [str(self.python), "-B", str(LAB), *words]

    # ---------------------------------------------------------------- two servers and a shop

    def start(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            source = pool.submit(self.up, SOURCE)
            replica = pool.submit(self.up, REPLICA, "--service", SERVICE)
            self.servers[SOURCE] = source.result()
            self.open_shop(self.servers[SOURCE])
            self.servers[REPLICA] = replica.result()
        for name, what in ((SOURCE, "the shop's own server"), (REPLICA, f"the managed one, dressed as {SERVICE}")):
            server = self.servers[name]
            self.screen.say(f"{name:<10}  MySQL {server['version']}, {server['host']}:{server['port']}, process {server['pid']}: {what}")
        place.write_private(place.STATE / "inventory.yml", self.inventory())

    def up(self, name: str, *words: str) -> dict[str, Any]:
        return json.loads(self.run(f"starting {name}", self.lab("up", name, "--server", SERVER, *words, "--json")))

    def open_shop(self, server: dict[str, Any]) -> None:
        text = (ROOT / "tests/demo/shop.sql").read_text("utf-8")
        done = subprocess.run(
            [*server["admin_client"], "--batch"], input=text, env=self.environment, capture_output=True, encoding="utf-8", check=False, start_new_session=True
        )
        if done.returncode:
            raise DemoError(f"the shop's data cannot be made: {done.stderr.strip()}")

    def inventory(self) -> str:
        def block(indent: int, values: dict[str, Any]) -> str:
            return "".join(f"{' ' * indent}{name}: {json.dumps(value)}\n" for name, value in values.items())

        def login(name: str) -> dict[str, Any]:
            server = self.servers[name]
            return {
                "datain_login_host": server["host"],
                "datain_login_port": server["port"],
                "datain_login_user": server["admin_user"],
                "datain_login_password": server["admin_password"],
                "datain_login_ca": server["ca"],
            }

        source = self.servers[SOURCE]
        everywhere = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "datain_client_dir": source["bin_dir"],
            "datain_report_dir": str(place.STATE / "report"),
        }
        of_source = {"datain_replication_user": "datain", "datain_replication_password": secrets.token_hex(14), "datain_link_ca": source["ca"]}
        of_replica = {"datain_source": SOURCE, "datain_service": SERVICE}
        return (
            "all:\n  vars:\n" + block(4, everywhere) + "  children:\n"
            f"    datain_sources:\n      hosts:\n        {SOURCE}:\n" + block(10, {**login(SOURCE), **of_source}) +
            f"    datain_replicas:\n      hosts:\n        {REPLICA}:\n" + block(10, {**login(REPLICA), **of_replica})
        )  # fmt: skip

    def customers(self) -> Customers:
        shop = self.client(SOURCE)
        rows = sum(self.count(shop).values())
        customers = Customers(self.client(SOURCE, "admin_client"), ORDERS_A_SECOND)
        self.open.callback(customers.stop)
        things = f"{rows:,} rows in {len(self.tables(shop))} tables, a view, a trigger, two routines, an event"
        self.screen.say(f"{things}; and customers, {ORDERS_A_SECOND} orders a second")
        return customers

    def client(self, name: str, command: str = "client") -> Client:
        client = Client(self.servers[name][command], self.environment)
        self.open.callback(client.close)
        return client

    @staticmethod
    def tables(client: Client) -> list[str]:
        return [row[0] for row in client.ask(TABLES)]

    def count(self, client: Client) -> dict[str, int]:
        tables = self.tables(client)
        counts = client.ask("".join(f"SELECT COUNT(*) FROM shop.{table};" for table in tables))
        return {table: int(row[0]) for table, row in zip(tables, counts)}

    # ---------------------------------------------------------------- the playbooks

    def playbook(self, name: str, log: str) -> Playbook:
        """Run one of the collection's playbooks as a person would, and show it while it runs."""
        command = [str(place.STATE / "ansible-playbook"), f"datain.azure_mysql.{name}", "-i", str(place.STATE / "inventory.yml")]
        self.screen.say(f"$ ansible-playbook {shlex.join(command[1:])}")
        shown = Playbook(self.screen)
        path = place.STATE / log
        with open(path, "w", opener=place.private_opener, encoding="utf-8") as file, self.process(command, stderr=subprocess.STDOUT) as process:
            assert process.stdout
            for line in process.stdout:
                file.write(line)
                shown.line(line.rstrip("\n"))
            status = process.wait()
        bad = [host for host, counts in shown.recap.items() if counts["failed"] or counts["unreachable"]]
        if status or bad or set(shown.recap) != {SOURCE, REPLICA}:
            raise DemoError(f"the playbook {name} failed{' on ' + ', '.join(bad) if bad else ''} (status {status}); all it said is in {path}")
        return shown

    def onboard(self, customers: Customers) -> None:
        before, at = customers.placed, time.monotonic()
        customers.longest = 0.0
        shown = self.playbook("onboard", "onboard.log")
        if not shown.changed[REPLICA]:
            raise DemoError(f"the playbook changed nothing on {REPLICA}, so it cannot have made a link")
        customers.check()
        took = time.monotonic() - at
        placed = customers.placed - before
        if not placed:
            raise DemoError("the shop took no order while the playbook ran")
        pace = f"{placed / took:.0f} a second, the slowest in {customers.longest * 1000:.0f} ms"
        self.screen.say(f"linked in {took:.1f} s; meanwhile the shop took {placed} orders, {pace}")

    def status(self) -> None:
        self.playbook("status", "status.log")
        report = place.STATE / "report"
        try:
            hosts = {host["host"]: host for host in json.loads((report / "report.json").read_text("utf-8"))["hosts"]}
            table = (report / "report.txt").read_text("utf-8").splitlines()
        except (OSError, ValueError, KeyError) as error:
            raise DemoError(f"there is no report in {report}: {error}") from error
        self.screen.block(table)
        state = hosts.get(REPLICA, {}).get("state")
        if state != "running":
            raise DemoError(f"the link should run, but the report says {state!r}")

    def again(self) -> None:
        shown = self.playbook("onboard", "onboard-again.log")
        if any(shown.changed.values()):
            changed = ", ".join(f"{host}: changed={count}" for host, count in shown.changed.items())
            raise DemoError(f"the same playbook again should change nothing: {changed}; all it said is in {place.STATE / 'onboard-again.log'}")
        self.screen.say("changed=0: what is right is left alone")

    # ---------------------------------------------------------------- the judge

    def order(self) -> None:
        source, replica = self.client(SOURCE), self.client(REPLICA)
        replica.value("SELECT COUNT(*) FROM shop.orders;")
        number = source.value("CALL shop.place_order(42, 7);")
        began = time.monotonic()
        question = f"SELECT o.id, c.name, shop.order_total(o.id) FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id WHERE o.id = {int(number)};"
        while not (found := replica.ask(question)):
            if time.monotonic() - began > 30:
                raise DemoError(f"order {number} was placed on {SOURCE}, and is not on {REPLICA} after 30 s")
            time.sleep(0.001)
        took = (time.monotonic() - began) * 1000
        if found != source.ask(question):
            raise DemoError(f"order {number} is not the same on {REPLICA}: {found}")
        _id, name, total = found[0]
        self.screen.say(f"order {number} of {name} for {total} was placed on {SOURCE}, and was on {REPLICA} {took:.0f} ms later")

    def compare(self, customers: Customers) -> None:
        source, replica = self.client(SOURCE), self.client(REPLICA)
        with standing_still(source) as (file, position):
            if replica.value(f"SELECT SOURCE_POS_WAIT('{file}', {int(position)}, 30);") in ("-1", "NULL"):
                raise DemoError(f"{REPLICA} did not get to {file}:{position} within 30 s")
            tables = sorted({*self.tables(source), *self.tables(replica)})
            checksums = f"CHECKSUM TABLE {', '.join('shop.' + table for table in tables)};"
            sides = [(self.count(client), dict(client.ask(checksums))) for client in (source, replica)]
            objects = [client.ask(COUNT_OBJECTS) for client in (source, replica)]
        (rows, sums), (copied, copied_sums) = sides
        lines = [f"{'at ' + file + ':' + position:<28}{SOURCE:>12}{REPLICA:>12}"]
        wrong = []
        for table in tables:
            name = "shop." + table
            same = rows.get(table) == copied.get(table) and sums.get(name) == copied_sums.get(name)
            wrong += [] if same else [name]
            lines.append(f"{name:<28}{rows.get(table, '-'):>12}{copied.get(table, '-'):>12}   {'same rows, same content' if same else 'DIFFERENT'}")
        for (kind, here), (_kind, there) in zip(*objects):
            wrong += [] if here == there else [kind + "s"]
            lines.append(f"{kind + 's':<28}{here:>12}{there:>12}   {'same' if here == there else 'DIFFERENT'}")
        self.screen.block(lines)
        if wrong or not tables:
            raise DemoError(f"the two servers differ in {', '.join(wrong) or 'everything'}")
        customers.check()

    # ---------------------------------------------------------------- all of it

    def show(self) -> None:
        screen = self.screen
        screen.step("Get what it needs: Ansible, the driver, a MySQL server")
        self.prepare()
        screen.step("Start two servers as processes of yours, and open a shop")
        self.start()
        customers = self.customers()
        screen.step("Make the managed server follow, while the shop goes on")
        self.onboard(customers)
        screen.step("Look at the link")
        self.status()
        screen.step("Place an order on the source, and wait for it on the replica")
        self.order()
        screen.step("Compare both sides, with the server's own client")
        self.compare(customers)
        screen.step("The same playbook again")
        self.again()
        customers.check()
        customers.stop()
        self.open.close()
        screen.step("Try next; the servers go on until you take them down")
        command = f"{place.short(place.STATE / 'ansible-playbook')} datain.azure_mysql"
        inventory = f"-i {place.short(place.STATE / 'inventory.yml')}"
        screen.plain(
            f"{command}.status {inventory}",
            f"{command}.onboard {inventory} --check --diff",
            f"make -C {shlex.quote(str(ROOT))} demo-down",
        )

    # ---------------------------------------------------------------- processes

    @contextlib.contextmanager
    def process(self, command: list[str], stderr: int) -> Iterator[subprocess.Popen[str]]:
        """A child in a session of its own: Ctrl-C at the terminal is for us, and we end what there is."""
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=self.environment, cwd=place.STATE, encoding="utf-8", errors="replace",
            start_new_session=True,
        )  # fmt: skip
        with process:
            yield process

    def run(self, what: str, command: list[str]) -> str:
        """Run a command to its end, show what it tells a person, return what it prints."""
        with ThreadPoolExecutor(2) as pool, self.process(command, stderr=subprocess.PIPE) as process:
            assert process.stdout and process.stderr
            printed, told = pool.submit(process.stdout.read), pool.submit(self._tell, process.stderr)
            began = time.monotonic()
            while True:
                try:
                    last = told.result(0.5)
                    break
                except FutureTimeout:
                    self.screen.waiting(f"... {what}, {time.monotonic() - began:.0f} s", SILENCE)
            status = process.wait()
            if status:
                raise DemoError(f"{what}: {last or f'ended with status {status}'}")
            return printed.result()

    def _tell(self, lines: Iterable[str]) -> str:
        """Show what a command tells, and return the last of it."""
        last = ""
        for line in lines:
            if line.strip():
                last = line.strip().removeprefix("lab: ")
                self.screen.say(last)
        return last


def clear() -> None:
    """Remove every process and file of the demonstration, however far it came."""
    if place.STATE.exists():
        # Knows the sockets and folders of servers; it may itself be what is broken, so the marks are looked for afterwards.
        environ = {**environment(), place.MARK: ""}
        subprocess.run([sys.executable, "-B", str(LAB), "down", "--all"], env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    place.end_marked()
    place.remove_state()


def up() -> int:
    screen = Screen(STEPS)
    with place.lock(), contextlib.ExitStack() as stack:
        clear()
        place.private(place.STATE)
        demo = Demo(screen)
        stack.callback(demo.open.close)
        try:
            demo.show()
        except (DemoError, ClientError, OSError, subprocess.SubprocessError) as error:
            screen.failed(str(error), f"What it started is still there to be looked at; make -C {shlex.quote(str(ROOT))} demo-down removes it.")
            return 1
        except KeyboardInterrupt:
            screen.failed("interrupted; removing what was started")
            clear()
            return 130
        return 0


def down() -> int:
    place.interrupt_running()
    with place.lock():
        clear()
    place.remove_lock()
    caches = [path for path in place.CACHES if path.exists()]
    print("demo-down: nothing that the demonstration started is left.")
    if caches:
        print(f"Downloads stay for the next time: {' '.join(map(place.short, caches))}")
    return 0


def interrupted(_number: int, _frame: object) -> None:
    """End what runs, so that nobody waits for it, and then ourselves; being asked twice makes it no faster."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    place.end_marked()
    raise KeyboardInterrupt


def main() -> int:
    for number in SIGNALS:
        signal.signal(number, interrupted)
    os.umask(0o077)
    words = sys.argv[1:]
    if words not in (["up"], ["down"]):
        print("tests/demo/run or tests/demo/down", file=sys.stderr)
        return 2
    try:
        return up() if words == ["up"] else down()
    except place.PlaceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
