#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes to the source until it is told to stop, about 200 rows a second, through the server's own client: writer.py FOLDER CLIENT [ARGUMENTS]

Each transaction moves something between two accounts and notes it, so that a copy that is half of one shows.
FOLDER/stop ends it; FOLDER/done then holds the number of transactions that were committed.
"""

import subprocess
import sys
import time
from pathlib import Path

TICK = 0.05
# Three rows each; 70 transactions a second.
TRANSACTIONS_PER_TICK = 3.5
TRANSACTION = (
    "BEGIN; UPDATE shop.account SET balance = balance - 1 WHERE id = {giver}; UPDATE shop.account SET balance = balance + 1 WHERE id = {taker};"
    " INSERT INTO shop.transfer (giver, taker) VALUES ({giver}, {taker}); COMMIT;\n"
)
# A scenario that died must not leave it behind for ever.
LIMIT = 600


def main(folder, client):
    written = 0
    started = time.monotonic()
    with subprocess.Popen(client, stdin=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (folder / "stop").exists() and time.monotonic() - started < LIMIT:
            # A tick that came late is made good, so that the rate holds on a busy machine.
            due = int((time.monotonic() - started) / TICK * TRANSACTIONS_PER_TICK)
            for number in range(written, due):
                process.stdin.write(TRANSACTION.format(giver=number % 8 + 1, taker=number * 3 % 8 + 1))
            process.stdin.flush()
            written = max(written, due)
            time.sleep(TICK)
        process.stdin.close()
        status = process.wait()
    (folder / "done").write_text(str(written) if status == 0 else f"the client ended with {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
