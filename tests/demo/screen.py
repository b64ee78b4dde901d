# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees: numbered steps, each line with the seconds since the beginning; and Ansible's output, made short."""

from __future__ import annotations

import os
import re
import sys
import threading
import time


class Screen:
    """Lines for a person; plain where nobody looks at a terminal."""

    def __init__(self, steps: int) -> None:
        self._began = time.monotonic()
        self._steps = steps
        self._step = 0
        self._spoke = self._began
        self._guard = threading.Lock()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"
        sys.stdout.reconfigure(errors="replace", line_buffering=True)

    def step(self, title: str) -> None:
        self._step += 1
        self._write("", self._bold(f"[{self._step}/{self._steps}] {title}", "1"))

    def say(self, text: str) -> None:
        self._write(*(f"      {line}" for line in text.splitlines()))

    def waiting(self, text: str, patience: float) -> None:
        """Say something if nothing has been said for so many seconds."""
        if time.monotonic() - self._spoke >= patience:
            self.say(text)

    def block(self, lines: list[str]) -> None:
        """A table, without times."""
        with self._guard:
            print("", *(f"{'':<17}{line}".rstrip() for line in lines), sep="\n")

    def plain(self, *lines: str) -> None:
        """Lines to be copied: nothing stands before them."""
        with self._guard:
            print("", *lines, "", sep="\n")

    def failed(self, *lines: str) -> None:
        first, *others = lines
        self._write("", self._bold(f"FAILED: {first}", "31;1"), *others)

    def _write(self, *lines: str) -> None:
        with self._guard:
            self._spoke = time.monotonic()
            for line in lines:
                print(f"{time.monotonic() - self._began:7.1f} s  {line}" if line else "")

    def _bold(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text


_PLAY = re.compile(r"^PLAY \[(?P<title>.*)\] \**$")
_TASK = re.compile(r"^TASK \[(?:[\w.]+ : )?(?P<title>.*)\] \**$")
_RESULT = re.compile(r"^(?P<result>ok|changed|skipping|included|fatal|failed|\.\.\.ignoring)\b(?:: \[(?P<host>[^\]\s]+)[^\]]*\])?")
_PROGRESS = re.compile(r"^ +\[(?P<host>[^\]]+)\] (?P<text>.*)$")
_RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)")


class Playbook:
    """Ansible's own output, one line for what one host did in one task.

    :ivar recap: each host's changed, unreachable and failed
    """

    def __init__(self, screen: Screen) -> None:
        self.recap: dict[str, dict[str, int]] = {}
        self._screen = screen
        self._task = ""
        self._began = time.monotonic()
        self._show_rest = False

    @property
    def changed(self) -> dict[str, int]:
        return {host: counts["changed"] for host, counts in self.recap.items()}

    def line(self, line: str) -> None:
        """Take one line of Ansible's, and show what of it matters."""
        if found := _RECAP.match(line):
            counts = {name: int(found[name]) for name in ("changed", "unreachable", "failed")}
            self.recap[found["host"]] = counts
            self._screen.say(f"{found['host']:<12}" + "  ".join(f"{name}={count}" for name, count in counts.items()))
        elif _PLAY.match(line) or line.startswith("PLAY RECAP"):
            self._show_rest = False
        elif found := _TASK.match(line):
            self._task, self._began, self._show_rest = found["title"], time.monotonic(), False
        elif found := _PROGRESS.match(line):
            self._screen.say(f"{'...':<10}{found['host']:<12}{found['text']}")
        elif found := _RESULT.match(line):
            self._show_rest = found["result"] in ("fatal", "failed")
            if found["result"] in ("ok", "changed") and not self._task.startswith("Validating arguments"):
                self._screen.say(f"{found['result']:<10}{found['host']:<12}{self._task}, {time.monotonic() - self._began:.1f} s")
            elif self._show_rest:
                self._screen.say(f"{'FAILED':<10}{found['host'] or '':<12}{self._task}")
        elif line.strip() and (self._show_rest or line.startswith(("[WARNING]", "[ERROR]", "ERROR"))):
            self._screen.say(line)
