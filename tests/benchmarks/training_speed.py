"""Images a second that MobileFaceNet learns from, by `faceclust train` and by a bare loop of PyTorch.

    python tests/benchmarks/training_speed.py [--images 1920] [--batch 64] [--networks 6] [--device cpu]

Chips are random pixels in memory, so finding and reading faces does not count. Each width and size learns from as many
images as cost about the same time; --images is the number for width 0.5 at 64 px. The bare loop has the same network,
loss and optimiser, on one batch. Prints a Markdown table of images per second of processor time, with one thread; of
the clock on CUDA.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from faceclust.training.data.face_set import FaceSet
from faceclust.training.options import TrainingOptions
from faceclust.training.parts import build_backbone, build_head
from faceclust.training.trainer import seed_everything, train

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.drawn_people import DrawnChips

#: Width and side of each network, and its cost relative to width 0.5 at 64 px.
NETWORKS = ((1.0, 112, 8), (0.5, 112, 3), (1.0, 96, 6), (0.5, 96, 2), (0.5, 64, 1), (0.25, 64, 0.5))
FACES_PER_PERSON = 4


def make_faces(faces: int, side: int) -> FaceSet:
    """Return faces of random pixels (side, side), four of each person."""
    pixels = np.random.default_rng(0).integers(0, 256, (faces, side, side, 3), np.uint8)
    people = tuple(f"person {i:06d}" for i in range(faces // FACES_PER_PERSON))
    labels = np.repeat(np.arange(len(people)), FACES_PER_PERSON)
    return FaceSet(DrawnChips(pixels), np.arange(len(labels)), labels, people, tuple(map(str, labels)))


def measure_seconds(work: Callable[[], object], device: str) -> float:
    """Return the processor time of `work`, or its time by the clock on CUDA."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start


def measure_network(width: float, side: int, images: int, batch: int, device: str) -> tuple[float, float]:
    """Return the images per second of `train`, and of the bare loop."""
    steps = max(1, images // batch)
    faces, held_out = make_faces(steps * batch, side), make_faces(2 * FACES_PER_PERSON, side)
    settings = {"size": f"{side}x{side}", "width": width}
    options = TrainingOptions(head="softmax", epochs=1, batch=batch, device=device)
    seed_everything(0)
    backbone = build_backbone("mobilefacenet", settings)
    head = build_head("softmax", backbone.dimension, len(faces.people), {})
    seconds = measure_seconds(lambda: train(backbone, head, faces, held_out, options), device)
    backbone.to(device, memory_format=torch.channels_last).train()
    head.to(device).train()
    chips = torch.randn(batch, 3, side, side, device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(0, len(faces.people), (batch,), device=device)
    optimiser = torch.optim.SGD([*backbone.parameters(), *head.parameters()], 0.1, momentum=0.9, nesterov=True)

    def loop() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            head(backbone(chips), labels).backward()
            optimiser.step()

    return steps * batch / seconds, steps * batch / measure_seconds(loop, device)


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1920)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--networks", type=int, default=len(NETWORKS), help="the cheapest ones only")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure_network(0.25, 32, arguments.batch, arguments.batch, arguments.device)  # the first run is slower
    print("| width | chip | `train`, images/s | bare loop | share |\n|---|---|---|---|---|")
    for width, side, cost in NETWORKS[-arguments.networks :]:
        images = round(arguments.images / cost)
        ours, bare = measure_network(width, side, images, arguments.batch, arguments.device)
        print(f"| {width:g} | {side} × {side} | {ours:.0f} | {bare:.0f} | {ours / bare:.2f} |", flush=True)


if __name__ == "__main__":
    main()
