"""Coverage-guided fuzzing of the parsers that read foreign bytes.

    python -m tests.benchmarks.fuzz [TARGET ...] [--seconds 600] [--findings FOLDER] [--save-corpus]

Needs atheris (Linux). Each target of tests/support/fuzz_targets.py runs in a separate process that starts from
its stored inputs. Prints a row for each, and exits with 1 after a finding: an exception that is not
documented, a broken property, an input that takes more than 5 seconds, or more than 1.5 GB of memory. Inputs
of findings are saved in the folder. `--save-corpus` stores the smallest inputs that run all lines.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path
from types import FrameType
from typing import Any

SECONDS_PER_INPUT, MAX_MEMORY, MAX_INPUT = 5, 1500, 20_000  # s, MB, bytes
MAX_CORPUS = 10_000  # bytes of one stored corpus
_STATS = re.compile(r"stat::number_of_executed_units: (\d+).*stat::peak_rss_mb: +(\d+)", re.DOTALL)
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")


def fuzz_in_this_process(name: str, findings: Path, options: list[str]) -> None:
    """Fuzz a target until libFuzzer ends the process. Each kind of exception is saved once, without stopping.

    `options` are the instrumented modules, the folder of the corpus, and more options of libFuzzer.
    """
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=options.pop(0).split(",")):
        from tests.support.fuzz_targets import TARGETS

    target, scratch = TARGETS[name], Path(options[0]).with_name("scratch")
    scratch.mkdir(exist_ok=True)
    known: set[str] = set()

    def check_once(data: bytes) -> None:
        try:
            target.run(data, scratch)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
            if place not in known:
                known.add(place)
                save_finding(findings, name, data, f"{place}: {error}\n{traceback.format_exc()}")

    atheris.Setup([sys.argv[0], *options], check_once)
    atheris.Fuzz()


def save_finding(folder: Path, name: str, data: bytes, text: str) -> None:
    """Save an input and its description."""
    stem = f"{name}-{hashlib.sha256(data).hexdigest()[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / stem).write_bytes(data)
    (folder / f"{stem}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")


def fuzz(name: str, seconds: float, findings: Path, *, save_corpus: bool = False) -> tuple[str, int]:
    """Fuzz a target in a separate process, again after it was stopped by a hang or by its memory.

    Return a row of the table and the number of findings.
    """
    from tests.support.fuzz_targets import TARGETS, read_corpus

    end, executed, edges, memory = time.monotonic() + seconds, 0, 0, 0
    before = len(list(findings.glob(f"{name}-*.txt")))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # in memory: each input becomes a file
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for data in read_corpus(name):
            (corpus / hashlib.sha256(data).hexdigest()).write_bytes(data)
        tokens = Path(folder) / "tokens"
        tokens.write_text("".join(f'"{_escape(token)}"\n' for token in TARGETS[name].tokens))
        while (left := end - time.monotonic()) >= 1:
            artifact = Path(folder) / "artifact"
            options = [
                str(corpus),
                f"-dict={tokens}",
                f"-max_total_time={round(left)}",
                f"-timeout={SECONDS_PER_INPUT}",
            ]
            options += [f"-rss_limit_mb={MAX_MEMORY}", f"-max_len={MAX_INPUT}", f"-exact_artifact_path={artifact}"]
            log = _run_child(name, findings, [*options, "-print_final_stats=1"])
            if artifact.exists():
                save_finding(findings, name, artifact.read_bytes(), log)
                artifact.unlink()
            stats, covered = _STATS.search(log), _COVERAGE.findall(log)
            executed += int(stats[1]) if stats else 0
            memory = max(memory, int(stats[2]) if stats else 0)
            edges = max([edges, *(int(found) for found, _ in covered)])
        if save_corpus:
            store_corpus(name, corpus)
    found = len(list(findings.glob(f"{name}-*.txt"))) - before
    return f"| {name} | {executed:,} | {edges:,} | {found} | {memory} MB |", found


def _run_child(name: str, findings: Path, options: list[str]) -> str:
    from tests.support.fuzz_targets import TARGETS

    command = [sys.executable, "-m", "tests.benchmarks.fuzz", "--child", str(findings), name, "--"]
    command += [",".join(TARGETS[name].instrumented), *options]
    root = Path(__file__).parents[2]
    # A new process inherits the peak memory of the one that starts it, which libFuzzer would count.
    command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace")
    if done.returncode and "libFuzzer" not in done.stderr:
        raise RuntimeError(done.stderr)
    return done.stderr


def _escape(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


def store_corpus(name: str, corpus: Path) -> None:
    """Store the smallest inputs that together run all lines that the corpus runs, up to MAX_CORPUS bytes."""
    from tests.support.fuzz_seeds import SEEDS
    from tests.support.fuzz_targets import CORPUS_FOLDER

    inputs = [path.read_bytes() for path in corpus.iterdir()]
    kept: list[bytes] = []
    reached: set[tuple[str, int]] = set()
    for data in (*SEEDS[name](), *sorted(inputs, key=lambda data: (len(data), data))):
        lines = trace_lines(name, data, corpus.with_name("scratch"))
        if lines - reached:
            reached |= lines
            kept.append(data)
    seeds = set(SEEDS[name]())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for data in kept:
            if data not in seeds and out.tell() + len(data) < MAX_CORPUS - 4000:  # the directory comes last
                archive.writestr(zipfile.ZipInfo(hashlib.sha256(data).hexdigest()[:10]), data, zipfile.ZIP_DEFLATED)
    CORPUS_FOLDER.mkdir(exist_ok=True)
    (CORPUS_FOLDER / f"{name}.zip").write_bytes(out.getvalue())


def trace_lines(name: str, data: bytes, scratch: Path) -> set[tuple[str, int]]:
    """Return the lines of the instrumented modules that an input runs."""
    from tests.support.fuzz_targets import TARGETS

    target = TARGETS[name]
    lines: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_globals.get("__name__", "").startswith(target.instrumented):
            return None
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        target.run(data, scratch)
    except Exception:  # a finding, which is saved elsewhere
        return set()
    finally:
        sys.settrace(None)
    return lines


def main() -> None:
    """Fuzz each target, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--save-corpus", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        fuzz_in_this_process(args.targets[0], args.child, args.targets[1:])
        return
    from tests.support.fuzz_targets import TARGETS

    print("| target | inputs | edges | findings | peak memory |")
    print("|---|---|---|---|---|")
    total = 0
    for name in args.targets or TARGETS:
        row, found = fuzz(name, args.seconds, args.findings.resolve(), save_corpus=args.save_corpus)
        print(row, flush=True)
        total += found
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
