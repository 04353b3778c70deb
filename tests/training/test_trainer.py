from __future__ import annotations

import dataclasses
import math
import os
import pickle
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from faceclust.errors import FaceclustError, UsageError
from faceclust.training import loop, processes
from faceclust.training.data.face_set import FaceSet
from faceclust.training.data.samplers import AdaptiveSampler, PeopleBatches, Sampler, Share, Shuffled
from faceclust.training.data.triplets import TripletSampler
from faceclust.training.heads.base import Head
from faceclust.training.heads.softmax import Softmax
from faceclust.training.loader import build_sampler, read_ahead
from faceclust.training.options import Setting, TrainingOptions
from faceclust.training.parts import build_head
from faceclust.training.trainer import Trained, embed_faces, seed_everything, train
from tests.support.drawn_people import draw_people
from tests.support.tiny_network import SIDE, TinyNetwork

PEOPLE, PHOTOS, BATCH, EPOCHS = 12, 5, 12, 3
STEPS = PEOPLE * PHOTOS // BATCH  # of an epoch
TRAIN = draw_people(PEOPLE, PHOTOS, side=SIDE)
HELD_OUT = draw_people(40, 4, side=SIDE, first=1000)
OPTIONS = TrainingOptions(head="softmax", epochs=EPOCHS, batch=BATCH)
#: Heads with each kind of sampler, and with a state that moves with the batches.
HEADS: dict[str, tuple[str, dict[str, Setting]]] = {
    "shuffled": ("softmax", {}),
    "people": ("triplet", {}),
    "adaptive": ("adaptiveface", {"adaptive_sampling": True}),
    "triplets": ("triplet", {"mining": "offline", "every": 4}),
    "moving averages": ("adaface", {"scale": 16.0}),
    "random margins": ("elasticface", {"scale": 16.0}),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(
    options: TrainingOptions = OPTIONS,
    checkpoint: Path | None = None,
    *,
    stop_after: int | None = None,
    train_set: FaceSet = TRAIN,
    held_out: FaceSet = HELD_OUT,
    head: Head | None = None,
    **arguments: Any,
) -> Trained:
    seed_everything(options.seed)
    backbone = TinyNetwork()
    head = head or build_head(options.head, backbone.dimension, len(train_set.people), options.head_settings)
    if stop_after is not None:
        arguments["should_stop"] = stop_at(stop_after)
    return train(backbone, head, train_set, held_out, options, checkpoint, **arguments)


def stop_at(step: int) -> Callable[[], bool]:
    """Return a `should_stop` that is true from the given call on."""
    calls = iter(range(1, 1 << 30))
    return lambda: next(calls) >= step


def weights(trained: Trained) -> dict[str, Tensor]:
    return {**trained.backbone.state_dict(), **{f"head.{k}": v for k, v in trained.head.state_dict().items()}}


def assert_equal(first: Trained, second: Trained) -> None:
    """Bit for bit."""
    one, two = weights(first), weights(second)
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
    assert first.history == second.history and first.images == second.images


def options_of(kind: str, **changes: Any) -> TrainingOptions:
    head, settings = HEADS[kind]
    return dataclasses.replace(OPTIONS, head=head, head_settings=settings, **changes)


@pytest.mark.parametrize("kind", HEADS)
def test_equal_seeds_give_equal_weights(kind: str) -> None:
    options = options_of(kind)
    first = run(options)
    torch.rand(3)  # what was drawn before does not matter
    assert_equal(first, run(options))
    assert not torch.equal(
        weights(first)["body.0.weight"], weights(run(dataclasses.replace(options, seed=1)))["body.0.weight"]
    )


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(
    "stop", [*(pytest.param(stop, marks=pytest.mark.slow) for stop in (1, STEPS - 1)), STEPS, STEPS + 2]
)
def test_a_resumed_run_equals_an_uninterrupted_one(kind: str, stop: int, tmp_path: Path) -> None:
    options, path = options_of(kind), tmp_path / "checkpoint.pt"
    stopped = run(options, path, stop_after=stop)
    assert not stopped.finished and stopped.images == stop * BATCH
    again = run(options, path, stop_after=1, resume=True)  # stopped twice
    assert not again.finished
    resumed = run(options, path, resume=True)
    assert resumed.finished
    assert_equal(resumed, run(options))
    assert_equal(run(options, path, resume=True), resumed)  # nothing is left to do


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_autocast_resumes_too_and_keeps_weights_and_head_in_float32(precision: str, tmp_path: Path) -> None:
    options, path = dataclasses.replace(OPTIONS, precision=precision), tmp_path / "checkpoint.pt"
    seen: set[torch.dtype] = set()

    class Watching(Softmax):
        def forward(self, features: Tensor, labels: Tensor) -> Tensor:
            seen.add(features.dtype)
            assert not torch.is_autocast_enabled("cpu")
            return super().forward(features, labels)

    seed_everything(0)
    run(options, path, stop_after=STEPS + 1)
    resumed, complete = run(options, path, resume=True), run(options)
    assert_equal(resumed, complete)
    run(options, head=Watching(16, PEOPLE))
    assert seen == {torch.float32}
    assert {value.dtype for value in weights(complete).values()} <= {torch.float32, torch.int64}
    assert not torch.equal(weights(complete)["body.0.weight"], weights(run())["body.0.weight"])
    assert all(math.isfinite(record.loss) for record in complete.history)


def test_a_killed_run_goes_on_from_the_last_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_INTERVAL", -1.0)
    path, stop = tmp_path / "checkpoint.pt", stop_at(4)

    def kill() -> bool:
        if stop():
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        run(OPTIONS, path, should_stop=kill)
    assert torch.load(path, weights_only=True)["batch"] == 3
    assert_equal(run(OPTIONS, path, resume=True), run())


def test_the_checkpoint_is_private_and_alone(tmp_path: Path) -> None:
    run(OPTIONS, tmp_path / "checkpoint.pt", stop_after=2)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert stat.S_IMODE((tmp_path / "checkpoint.pt").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 4}, "--epochs 3, not 4"),
        ({"batch": 10}, "--batch 12, not 10"),
        ({"seed": 7}, "--seed 0, not 7"),
        ({"learning_rate": 0.5}, "--lr 0.1, not 0.5"),
        ({"precision": "bfloat16"}, "precision float32, not bfloat16"),
        ({"people_per_batch": 4}, "--people-per-batch 0, not 4"),
        ({"head_settings": {"scale": 8.0}}, "head.scale 32.0, not 8.0"),
        ({"head": "arcface"}, "--head softmax, not arcface"),
        ({"head": "arcface"}, "head.margin nothing, not 0.5"),
        ({"seed": 7, "epochs": 4}, "--epochs 3, not 4; --seed 0, not 7"),
    ],
)
def test_other_options_are_not_resumed(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    run(OPTIONS, path := tmp_path / "checkpoint.pt", stop_after=1)
    with pytest.raises(UsageError) as caught:
        run(dataclasses.replace(OPTIONS, **changes), path, resume=True)
    assert message in str(caught.value) and "--resume" in str(caught.value.hint)
    assert "\n" not in str(caught.value)


def test_other_people_or_photos_are_not_resumed(tmp_path: Path) -> None:
    run(OPTIONS, path := tmp_path / "checkpoint.pt", stop_after=1, digest="1")
    relabelled = dataclasses.replace(TRAIN, labels=TRAIN.labels[::-1].copy())
    for change in ({"train_set": relabelled}, {"train_set": draw_people(13, PHOTOS, side=SIDE)}, {"digest": "2"}):
        with pytest.raises(UsageError, match="it was made with other people or photos"):
            run(OPTIONS, path, resume=True, **{"digest": "1", **change})
    assert run(OPTIONS, path, resume=True, digest="1").finished


def test_defaults_that_are_given_do_not_count_as_other_options(tmp_path: Path) -> None:
    run(OPTIONS, path := tmp_path / "checkpoint.pt", stop_after=1)
    same = dataclasses.replace(OPTIONS, learning_rate=0.1, head_settings={"scale": 32.0})
    assert_equal(run(same, path, resume=True), run())


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("attacked",)


def _change(**values: Any) -> Callable[[Path, dict[str, Any]], None]:
    return lambda path, content: torch.save(content | values, path)


def _change_tensor(name: str, change: Callable[[Tensor], Any]) -> Callable[[Path, dict[str, Any]], None]:
    def write(path: Path, content: dict[str, Any]) -> None:
        tensors = content["tensors"] | {name: change(content["tensors"][name])}
        torch.save(content | {"tensors": tensors}, path)

    return write


def _compress(path: Path, content: dict[str, Any]) -> None:
    torch.save(content, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def _enlarge(path: Path, content: dict[str, Any]) -> None:
    torch.save(content, path)
    os.truncate(path, 1 << 40)  # sparse


def _link(path: Path, content: dict[str, Any]) -> None:
    torch.save(content, path.with_name("other.pt"))
    path.unlink()
    path.symlink_to("other.pt")


WEIGHT = "backbone.body.0.weight"
DAMAGES: dict[str, tuple[Callable[[Path, dict[str, Any]], object], str]] = {
    "code": (lambda path, content: path.write_bytes(pickle.dumps(Attack())), ""),
    "code in torch's format": (_change(epoch=Attack()), "more than tensors"),
    "empty": (lambda path, content: path.write_bytes(b""), "not a zip file"),
    "cut off": (lambda path, content: path.write_bytes(path.read_bytes()[:3000]), "not a zip file"),
    "compressed": (_compress, "compressed entries"),
    "too large": (_enlarge, "larger than"),
    "a symlink": (_link, "a symlink"),
    "no table": (lambda path, content: torch.save([1], path), "not a table"),
    "another format": (_change(format=99), "unknown format"),
    "another field": (_change(other=1), "other"),
    "no count": (_change(epoch=1.5), "epoch is not a count"),
    "negative": (_change(batch=-1), "batch is not a count"),
    "endless": (_change(epoch=1 << 40), "history does not fit"),
    "not finite": (_change(loss=math.nan), "a number is not finite"),
    "history of rubbish": (_change(history=[[1]]), "EpochRecord"),
    "another shape": (_change_tensor(WEIGHT, lambda value: value[:1]), "(1, 3, 3, 3), not"),
    "another type": (_change_tensor(WEIGHT, Tensor.double), "float64"),
    "NaN": (_change_tensor(WEIGHT, lambda value: value * math.nan), "is not finite"),
    "no tensor": (_change_tensor(WEIGHT, Tensor.tolist), "is not a tensor"),
    "no memory": (_change_tensor(WEIGHT, lambda value: value.to("meta")), "is not a tensor"),
    "sparse": (_change_tensor(WEIGHT, lambda value: torch.zeros(8, 3, 3, 3).to_sparse()), "is not a tensor"),
    "other tensors": (_change(tensors={}), "other tensors"),
    "other momentum": (_change(momentum={"x": torch.zeros(1)}), "other tensors"),
    "state of another sampler": (_change(sampler={"weights": torch.ones(3)}), "weights"),
    "a sampler without array": (_change(sampler={"weights": 3}), "not an array"),
    "tensors as options": (_change(run={"--epochs": torch.zeros(2)}), "more than words and numbers"),
    "beyond the epoch": (_change(batch=STEPS + 1), "beyond the end of its epoch"),
    "an epoch without images": (_change(images_of_epoch=0), "without images"),
    "a huge array in a byte": (_change(sampler={"weights": torch.ones(1).expand(1 << 40)}), "not an array"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_hostile_checkpoint_is_refused_in_one_line(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    run(OPTIONS, path, stop_after=1)
    write, reason = DAMAGES[damage]
    write(path, torch.load(path, weights_only=True))
    with pytest.raises(UsageError) as caught:
        run(OPTIONS, path, resume=True)
    message = str(caught.value)
    assert "no usable checkpoint" in message and reason in message and "\n" not in message
    assert not Path("attacked").exists()


def test_a_missing_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to resume"):
        run(OPTIONS, tmp_path / "checkpoint.pt", resume=True)


class Failing(Softmax):
    """A loss that is not finite from a step on, or whose gradient is not."""

    def __init__(self, step: int, *, gradient_only: bool = False) -> None:
        super().__init__(16, PEOPLE)
        self.left, self.gradient_only = step, gradient_only

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        loss = super().forward(features, labels)
        self.left -= 1
        if self.left >= 0:
            return loss
        return loss + (features - features.detach()).abs().sum().sqrt() if self.gradient_only else loss * math.nan


@pytest.mark.parametrize("gradient_only", [False, True])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(gradient_only: bool, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    seed_everything(0)
    backbone, head = TinyNetwork(), Failing(STEPS + 2, gradient_only=gradient_only)
    with pytest.raises(UsageError) as caught:
        train(backbone, head, TRAIN, HELD_OUT, OPTIONS, path)
    assert str(caught.value) == f"the loss is not finite in epoch 2, step 3; {path} keeps the last good state"
    assert caught.value.hint == "train again with a lower --lr (now 0.1)"
    assert all(value.isfinite().all() for value in backbone.state_dict().values())
    seed_everything(0)
    whole = Softmax(16, PEOPLE)
    kept = torch.load(path, weights_only=True)
    assert (kept["epoch"], kept["batch"], len(kept["history"])) == (1, 0, 1)
    assert whole.state_dict().keys() == {name[5:] for name in kept["tensors"] if name.startswith("head.")}


def test_a_learning_rate_that_is_too_large_is_reported() -> None:
    backbone = TinyNetwork(normalised=False)
    seed_everything(0)
    with pytest.raises(UsageError, match="the loss is not finite"):
        train(
            backbone,
            build_head("center", 16, PEOPLE, {"weight": 100.0}),
            *(TRAIN, HELD_OUT, dataclasses.replace(OPTIONS, head="center", learning_rate=100.0, epochs=20)),
        )


@pytest.mark.parametrize(
    ("train_set", "head", "message"),
    [
        (draw_people(1, 4, side=SIDE), "softmax", "at least two people"),
        (draw_people(6, 1, side=SIDE), "triplet", "nobody has two"),
        (draw_people(6, 1, side=SIDE), "contrastive", "nobody has two"),
    ],
)
def test_data_that_nothing_can_be_learnt_from(train_set: FaceSet, head: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(dataclasses.replace(OPTIONS, head=head), train_set=train_set)


@pytest.mark.parametrize(
    ("batch", "people", "photos", "images"),
    [(1, 2, 2, 4), (7, 5, 2, 7), (100, 5, 2, 10), (2, 2, 1, 2)],  # the last batch of 3 of 10 is left out
)
def test_small_batches_and_sets(batch: int, people: int, photos: int, images: int) -> None:
    options = dataclasses.replace(OPTIONS, batch=batch, epochs=1)
    seed_everything(0)
    faces = draw_people(people, photos, side=SIDE)
    trained = train(*(TinyNetwork(normalised=batch > 1), build_head("softmax", 16, people, {}), faces, faces, options))
    assert trained.finished and trained.images == images and math.isfinite(trained.history[0].loss)


@pytest.mark.parametrize(
    ("head", "settings", "changes", "kind", "batch"),
    [
        ("softmax", {}, {}, Shuffled, 12),
        ("softmax", {}, {"people_per_batch": 4}, PeopleBatches, 12),
        ("triplet", {}, {}, PeopleBatches, 12),  # 3 people with 4 faces of each
        ("triplet", {}, {"people_per_batch": 6}, PeopleBatches, 12),
        ("triplet", {"mining": "offline"}, {}, TripletSampler, 12),
        ("adaptiveface", {"adaptive_sampling": True}, {}, AdaptiveSampler, 12),
        ("adaptiveface", {}, {}, Shuffled, 12),
    ],
)
def test_a_head_gets_its_sampler(
    head: str, settings: dict[str, Setting], changes: dict[str, Any], kind: type[Sampler], batch: int
) -> None:
    options = dataclasses.replace(OPTIONS, **changes)
    sampler = build_sampler(build_head(head, 16, PEOPLE, settings), TRAIN.labels, options, Share())
    positions = next(iter(sampler.batches(0)))
    assert isinstance(sampler, kind) and len(positions) == batch
    if kind is PeopleBatches:
        faces = 12 // (options.people_per_batch or 3)
        assert (np.bincount(TRAIN.labels[positions]) % faces == 0).all()


@pytest.mark.parametrize(
    ("head", "settings"), [("triplet", {"mining": "offline"}), ("adaptiveface", {"adaptive_sampling": True})]
)
def test_people_per_batch_is_refused_if_the_head_chooses_the_faces(head: str, settings: dict[str, Setting]) -> None:
    options = dataclasses.replace(OPTIONS, people_per_batch=4)
    with pytest.raises(UsageError, match="--people-per-batch is not possible"):
        build_sampler(build_head(head, 16, PEOPLE, settings), TRAIN.labels, options, Share())


def test_pair_batches_need_no_more_people_than_have_two_faces() -> None:
    faces = draw_people(6, 2, side=SIDE)
    labels = np.concatenate([faces.labels[:4], np.arange(2, 30)])  # two people have two faces
    sampler = build_sampler(build_head("triplet", 16, 30, {}), labels, OPTIONS, Share())
    assert {tuple(np.bincount(labels[batch], minlength=2)) for batch in sampler.batches(0)} == {(6, 6)}


class Watcher:
    """Progress that counts."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None, str]] = []
        self.done: list[int] = []
        self.shown: list[dict[str, int | str]] = []
        self.threads: set[int] = set()
        self.finished = 0

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        self.stages.append((stage, total, unit))
        self.done.append(0)

    def advance(self, steps: int = 1, **counts: int | str) -> None:
        self.done[-1] += steps
        self.shown.append(counts)
        self.threads.add(threading.get_ident())

    def note(self, message: str) -> None: ...

    def finish(self) -> None:
        self.finished += 1


def test_one_stage_of_progress_covers_the_whole_run(tmp_path: Path) -> None:
    watcher, path = Watcher(), tmp_path / "checkpoint.pt"
    run(OPTIONS, path, stop_after=STEPS + 1, progress=watcher)
    total = EPOCHS * STEPS * BATCH
    assert watcher.stages == [("training", total, "faces")] and watcher.done == [(STEPS + 1) * BATCH]
    run(OPTIONS, path, resume=True, progress=watcher)
    assert watcher.stages[1:] == [("training", total - watcher.done[0], "faces")]
    assert sum(watcher.done) == total and watcher.finished == 2
    assert watcher.threads == {threading.get_ident()}
    first, last = watcher.shown[0], watcher.shown[-1]
    assert first["epoch"] == "1/3" and "TAR" not in first and float(first["loss"]) > 0
    assert last["epoch"] == "3/3" and str(last["TAR"]).endswith(" % at 1e-3")


def test_the_history_of_a_run() -> None:
    trained = run()
    assert [record.epoch for record in trained.history] == [1, 2, 3]
    assert [record.far for record in trained.history] == [1e-3] * 3  # 12,480 pairs of two people
    assert all(0 <= record.tar <= 1 for record in trained.history if record.tar is not None)
    assert all(record.images_per_second > 0 for record in trained.history)
    rates = [record.learning_rate for record in trained.history]
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.002
    assert trained.history[-1].loss < trained.history[0].loss
    assert trained.images == EPOCHS * STEPS * BATCH


@pytest.mark.parametrize(("people", "far"), [(1, None), (4, None), (12, 1e-2), (5, 1e-1)])
def test_the_rate_of_held_out_people_is_the_smallest_measurable(people: int, far: float | None) -> None:
    held_out = draw_people(people, 4 if people > 4 else 2, side=SIDE, first=2000)
    trained = run(dataclasses.replace(OPTIONS, epochs=1), held_out=held_out)
    assert trained.history[0].far == far and (trained.history[0].tar is None) == (far is None)


@pytest.mark.parametrize("fails", [False, True])
def test_global_state_is_restored(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seed_everything(3)
    torch.use_deterministic_algorithms(False)
    backbone = TinyNetwork()
    head = Failing(1, gradient_only=False) if fails else build_head("softmax", 16, PEOPLE, {})
    torch_state, numpy_state, threads = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    grown = threading.active_count()
    try:
        train(backbone, head, TRAIN, HELD_OUT, OPTIONS)
        assert not fails and not backbone.training and not head.training
    except UsageError:
        assert fails
    assert torch.equal(torch.get_rng_state(), torch_state) and (np.random.get_state()[1] == numpy_state).all()
    assert torch.get_num_threads() == threads and threading.active_count() == grown
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.is_grad_enabled() and all(one.grad is None for one in backbone.parameters())


def test_embeddings_of_faces_in_their_order() -> None:
    seed_everything(0)
    backbone, head = TinyNetwork(), build_head("softmax", 16, PEOPLE, {})
    backbone.train()
    head.eval()
    units, norms = embed_faces(backbone, head, TRAIN, batch=7)
    assert backbone.training and not head.training
    chips = torch.from_numpy(TRAIN.read(np.arange(len(TRAIN)))).permute(0, 3, 1, 2)
    with torch.no_grad():
        raw = backbone.eval()((chips.float() - 127.5) / 127.5)
    np.testing.assert_allclose(units * norms[:, None], raw.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, atol=1e-6)
    assert units.dtype == norms.dtype == np.float32 and units.shape == (60, 16)
    assert embed_faces(backbone, head, dataclasses.replace(TRAIN, rows=TRAIN.rows[:0]))[0].shape == (0, 16)


def test_magface_is_refused_if_the_norms_start_too_low() -> None:
    options = dataclasses.replace(OPTIONS, head="magface", epochs=1)
    with pytest.raises(UsageError, match=r"start with norms near [0-9.]+, below lowest_norm 10") as caught:
        run(dataclasses.replace(options, head_settings={"lowest_norm": 10.0}))
    lowest = float(str(caught.value.hint).split("=")[1].split(",")[0])
    assert 0 < lowest < 10
    assert run(dataclasses.replace(options, head_settings={"lowest_norm": lowest})).finished


def test_memory_that_runs_out_is_explained() -> None:
    class Large(Softmax):
        def forward(self, features: Tensor, labels: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(FaceclustError, match="cpu has not enough memory for batches of 12 images"):
        run(head=Large(16, PEOPLE))


def test_more_processes_than_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "_find_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="torchrun started 4 processes, but this machine has 2 GPUs"):
        processes.join_processes("cuda")


def test_reading_ahead_keeps_the_order_and_raises_at_the_item() -> None:
    def load(item: int) -> int:
        if item == 5:
            raise OSError("broken photo")
        return item * 10

    assert list(read_ahead(load, range(5))) == [0, 10, 20, 30, 40]
    assert list(read_ahead(load, [])) == []
    loaded = read_ahead(load, range(10))
    assert [next(loaded) for _ in range(5)] == [0, 10, 20, 30, 40]
    with pytest.raises(OSError, match="broken photo"):
        next(loaded)


def test_an_unknown_device() -> None:
    for device in ("quantum", "cuda:99"):
        with pytest.raises(UsageError, match=f"--device {device} cannot be used"):
            run(dataclasses.replace(OPTIONS, device=device))
