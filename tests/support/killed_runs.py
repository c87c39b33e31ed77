"""Kill -9 of real runs of the command line: one process imports it once, and forks each run."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FORKS = """
import json, os, signal, sys, time
from pathlib import Path
import synthaug._api.generate, lightning_fabric  # what takes seconds, once
from synthaug.cli.main import main

for folder, shards, arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    child = os.fork()
    if not child:
        main()
        os._exit(0)
    while len(list(Path(folder).glob("0*-*.h5"))) < shards:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            sys.exit(f"it ended by itself: {status}")
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def kill_runs(runs: Sequence[tuple[Path, int, Sequence[object]]]) -> None:
    """Run `synthaug` with (out, shards, arguments), and kill it once so many shards of `out` are whole."""
    folders = [out.with_name(f"{out.name}.partial") for out, _, _ in runs]
    asked = [
        (str(folder), shards, [str(argument) for argument in arguments])
        for folder, (_, shards, arguments) in zip(folders, runs, strict=True)
    ]
    done = subprocess.run([sys.executable, "-c", FORKS, json.dumps(asked)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all((folder / "plan.json").exists() for folder in folders)
