"""A training run of torchrun's processes, started as a script: `torchrun_script.py FOLDER MODE`.

Each process writes `rank{N}.pt` with its weights. Modes: "train"; "stop" asks for a stop in one process at step 3;
"resume"; "wait" trains until Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from faceclust.training.loop import NetworkWithHead
from faceclust.training.options import TrainingOptions
from faceclust.training.parts import build_head
from faceclust.training.trainer import is_main_process, main_process_first, seed_everything, train
from tests.support.drawn_people import draw_people
from tests.support.tiny_network import SIDE, TinyNetwork

OPTIONS = TrainingOptions(head="arcface", head_settings={"scale": 16.0}, epochs=3, batch=12)
PEOPLE, PHOTOS = 12, 4


class Progress:
    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        self.done = 0

    def advance(self, steps: int = 1, **counts: int | str) -> None:
        self.done += steps
        if self.done == 5 * OPTIONS.batch:
            print("under way", flush=True)

    def note(self, message: str) -> None: ...

    def finish(self) -> None: ...


def main(folder: Path, mode: str) -> None:
    rank = int(os.environ.get("RANK", "0"))
    with main_process_first("cpu"):
        print(f"rank {rank} reads", flush=True)
    assert is_main_process() == (rank == 0)
    stopped, steps = False, 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    if mode == "wait":
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)

    def should_stop() -> bool:
        nonlocal steps
        steps += 1
        return stopped or (mode == "stop" and rank == 1 and steps == 3)

    options = TrainingOptions(**{**vars(OPTIONS), "epochs": 10_000 if mode == "wait" else 3})
    seed_everything(options.seed)
    backbone = TinyNetwork(normalised=False, dropout=0.0)
    head = build_head(options.head, backbone.dimension, PEOPLE, options.head_settings)
    faces, held_out = draw_people(PEOPLE, PHOTOS, side=SIDE), draw_people(30, 3, side=SIDE, first=1000)
    trained = train(
        *(backbone, head, faces, held_out, options, folder / "checkpoint.pt"),
        resume=mode == "resume",
        progress=Progress(),
        should_stop=should_stop,
    )
    network = NetworkWithHead(trained.backbone, trained.head, "float32")
    result = {
        "weights": network.state_dict(),
        "losses": [record.loss for record in trained.history],
        "finished": trained.finished,
        "images": trained.images,
    }
    torch.save(result, folder / f"rank{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
