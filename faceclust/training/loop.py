"""The training loop: batches of chips through network and head, stopped and resumed between any two steps."""

from __future__ import annotations

import math
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from faceclust.errors import UsageError
from faceclust.progress import Progress, ShouldStop
from faceclust.training.backbones.base import Backbone
from faceclust.training.checkpoint import (
    Checkpoint,
    EpochRecord,
    Value,
    damaged_checkpoint,
    load_checkpoint,
    save_checkpoint,
    to_arrays,
    to_tensors,
)
from faceclust.training.data.augment import augment
from faceclust.training.data.face_set import FaceSet
from faceclust.training.data.samplers import AdaptiveSampler, Share
from faceclust.training.data.triplets import TripletSampler
from faceclust.training.heads.base import Head
from faceclust.training.loader import build_sampler, normalise_chips, read_ahead
from faceclust.training.options import TrainingOptions
from faceclust.training.processes import Processes
from faceclust.training.schedule import build_optimiser, scheduled_rate
from faceclust.training.validation import HeldOutScore, choose_faces, embed_faces, measure_held_out

#: Seconds between checkpoints within an epoch.
CHECKPOINT_INTERVAL = 300.0
#: Gradients of all parameters together are scaled down to this norm.
MAX_GRADIENT_NORM = 5.0

Positions = NDArray[np.int64]


class NetworkWithHead(nn.Module):
    """Chips and labels to loss and features, as one module, because DDP adds up the gradients of one.

    Only the backbone runs under autocast.
    """

    def __init__(self, backbone: Backbone, head: Head, precision: str) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.autocast = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(precision)

    def forward(self, chips: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(chips.device.type, self.autocast, enabled=self.autocast is not None):
            features = self.backbone(chips)
        features = features.float()
        loss = self.head(features, labels)
        # A pair loss is a constant if no pair costs anything.
        return loss if loss.requires_grad else loss + 0 * features.sum(), features.detach()


class TrainingLoop:
    """A training run and its state."""

    def __init__(
        self,
        backbone: Backbone,
        head: Head,
        train_set: FaceSet,
        held_out: FaceSet,
        options: TrainingOptions,
        processes: Processes,
        run: dict[str, Value],
        checkpoint: Path | None,
        progress: Progress,
        should_stop: ShouldStop,
    ) -> None:
        self.backbone, self.head, self.options, self.processes = backbone, head, options, processes
        self.train_set, self.held_out, self.device = train_set, choose_faces(held_out), processes.device
        self.run_description, self.checkpoint = run, checkpoint
        self.progress, self.should_stop = progress, should_stop
        self.peak_rate = options.learning_rate if options.learning_rate is not None else head.learning_rate
        self.model = NetworkWithHead(backbone, head, options.precision)
        # Convolutions are a quarter faster in this layout on a CPU, and chips have it already.
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.train()
        self.parameters = dict(self.model.named_parameters())
        self.optimiser = build_optimiser(backbone, head, self.peak_rate)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=options.precision == "float16")
        self.sampler = build_sampler(head, train_set.labels, options, Share(processes.rank, processes.count))
        self.parallel: nn.Module = self.model
        if processes.count > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            self.parallel = DistributedDataParallel(self.model, device_ids=devices)
        self.history: list[EpochRecord] = []
        self.score = HeldOutScore()
        self.epoch = self.step = self.images = 0
        self.mined_at, self.mining_interval = -1, int(getattr(head, "every", 1))
        self._start_epoch()

    def _start_epoch(self) -> None:
        self.batch, self.loss, self.images_of_epoch, self.seconds = 0, 0.0, 0, 0.0
        self.batches: list[Positions] = []

    def run(self) -> bool:
        """Train until the end or until a stop; return whether the end was reached."""
        self.saved_at = time.monotonic()
        if self.epoch < self.options.epochs:
            self._prepare_batches()
            left = self.options.epochs * len(self.batches) - self.epoch * len(self.batches) - self.batch
            self.progress.start("training", left * len(self.batches[0]) * self.processes.count, "faces")
        try:
            while self.epoch < self.options.epochs and self._train_epoch():
                self._finish_epoch()
        finally:
            self.progress.finish()
            self.optimiser.zero_grad()
        if self.epoch < self.options.epochs:
            self.save()
        self._share_buffers()
        return self.epoch == self.options.epochs

    def _prepare_batches(self) -> None:
        """Draw the batches of the rest of the epoch. All are drawn at once: what the sampler learns from the network
        while chips are read ahead changes the next epoch's."""
        if (
            isinstance(self.sampler, TripletSampler)
            and self.mined_at != self.step
            and self.step % self.mining_interval == 0
        ):
            self._mine(self.sampler)
        if not self.batches:
            self._draw()

    def _draw(self) -> None:
        self.drawn_from = to_tensors(self.sampler.state_dict())
        self.batches = list(self.sampler.batches(self.epoch))

    def _mine(self, sampler: TripletSampler) -> None:
        """Let the sampler choose triplets by the network as it is. The first process's statistics of batch
        normalisation differ from the others', so it embeds for all."""
        vectors = torch.empty(len(self.train_set), self.backbone.dimension, device=self.device)
        if self.processes.rank == 0:
            vectors.copy_(
                torch.from_numpy(embed_faces(self.backbone, self.head, self.train_set, device=self.device)[0])
            )
        sampler.refresh(self.processes.copy_from_first(vectors).cpu().numpy())
        self.batches, self.mined_at = [], self.step

    def _train_epoch(self) -> bool:
        """Train the rest of an epoch; return false if a stop was asked for."""
        self._prepare_batches()
        while self.batch < len(self.batches):
            self._prepare_batches()
            until_mining = self.batches[self.batch :]
            if isinstance(self.sampler, TripletSampler):
                until_mining = until_mining[: self.mining_interval - self.step % self.mining_interval]
            began = time.monotonic()
            with closing(read_ahead(self._load, until_mining)) as loaded:
                for positions, chips in loaded:
                    stop = self._learn(positions, chips)
                    self.seconds += time.monotonic() - began
                    if stop:
                        return False
                    if time.monotonic() - self.saved_at > CHECKPOINT_INTERVAL:
                        self.save()
                    began = time.monotonic()
        return True

    def _load(self, positions: Positions) -> tuple[Positions, Tensor]:
        chips = augment(self.train_set.read(positions), positions, self.epoch, self.options.seed)
        return positions, normalise_chips(chips, self.device)

    def _learn(self, positions: Positions, chips: Tensor) -> bool:
        """Make one step; return whether a stop is asked for, in any process. Raises UsageError if the head cannot
        learn from the first features, or the loss or the gradient is not finite, before that changes a weight."""
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(_seed_of_step(self.options.seed, self.step, self.processes.rank))
        labels = torch.from_numpy(self.train_set.labels[positions]).to(self.device)
        self.optimiser.zero_grad()
        loss, features = self.parallel(chips, labels)
        if self.step == self.processes.rank == 0:
            self.head.check_start(features)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), MAX_GRADIENT_NORM)
        figures = torch.stack([loss.detach(), norm, norm.new_tensor(float(self.should_stop()))])
        mean_loss, mean_norm, stops = (self.processes.total(figures) / self.processes.count).tolist()
        if not math.isfinite(mean_loss) or not (math.isfinite(mean_norm) or self.scaler.is_enabled()):
            raise self._diverged()
        if isinstance(self.sampler, AdaptiveSampler):
            self._observe(self.sampler, positions, features, labels)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        images = len(positions) * self.processes.count
        self.step, self.batch = self.step + 1, self.batch + 1
        self.loss, self.images_of_epoch = self.loss + mean_loss * images, self.images_of_epoch + images
        self.images += images
        self.progress.advance(
            images,
            epoch=f"{self.epoch + 1}/{self.options.epochs}",
            loss=f"{self.loss / self.images_of_epoch:.3f}",
            **({"TAR": str(self.score)} if self.score.tar is not None else {}),
        )
        return bool(stops)

    def _rate(self) -> float:
        done = self.epoch + (self.batch + 0.5) / len(self.batches)
        return scheduled_rate(self.peak_rate, done / self.options.epochs)

    def _observe(self, sampler: AdaptiveSampler, positions: Positions, features: Tensor, labels: Tensor) -> None:
        """Tell the sampler which faces the head classifies rightly."""
        predicted = self.head.predict(features)
        if predicted is not None:
            correct = self.processes.gather((predicted == labels).to(torch.uint8)).cpu().numpy() == 1
            everywhere = self.processes.gather(torch.from_numpy(positions).to(self.device)).cpu().numpy()
            sampler.observe(everywhere, correct)

    def _diverged(self) -> UsageError:
        kept = f"; {self.checkpoint} keeps the last good state" if self.checkpoint and self.checkpoint.exists() else ""
        return UsageError(
            f"the loss is not finite in epoch {self.epoch + 1}, step {self.batch + 1}{kept}",
            hint=f"train again with a lower --lr (now {self.peak_rate:g})",
        )

    def _finish_epoch(self) -> None:
        rate = scheduled_rate(self.peak_rate, (self.epoch + (self.batch - 0.5) / self.batch) / self.options.epochs)
        if self.processes.rank == 0:
            self.score = measure_held_out(self.backbone, self.head, self.held_out, self.device)
        self.history.append(
            EpochRecord(
                epoch=self.epoch + 1,
                loss=self.loss / self.images_of_epoch,
                learning_rate=rate,
                tar=self.score.tar,
                images_per_second=self.images_of_epoch / max(self.seconds, 1e-9),
                far=self.score.far,
            )
        )
        self.epoch += 1
        self._start_epoch()
        self.save()

    def save(self) -> None:
        """Write the checkpoint, in the first process."""
        self.saved_at = time.monotonic()
        if self.checkpoint is None or self.processes.rank > 0:
            return
        save_checkpoint(
            self.checkpoint,
            Checkpoint(
                run=self.run_description,
                tensors=self.model.state_dict(),
                momentum=self._momentum(),
                scaler=self.scaler.state_dict(),
                sampler=to_tensors(self.sampler.state_dict()),
                sampler_at_draw=self.drawn_from,
                history=self.history,
                epoch=self.epoch,
                batch=self.batch,
                step=self.step,
                loss=self.loss,
                images=self.images,
                images_of_epoch=self.images_of_epoch,
                seconds=self.seconds,
            ),
        )

    def _momentum(self) -> dict[str, Tensor]:
        state = self.optimiser.state
        buffers = {name: state.get(one, {}).get("momentum_buffer") for name, one in self.parameters.items()}
        return {name: buffer for name, buffer in buffers.items() if buffer is not None}

    def restore(self) -> None:
        """Go on from the checkpoint. Raises UsageError if it is missing or damaged, or belongs to another run."""
        if self.checkpoint is None:
            raise ValueError("resume needs the path of a checkpoint")
        saved = load_checkpoint(
            self.checkpoint, self.run_description, self.model.state_dict(), self.parameters, len(self.train_set)
        )
        if saved.epoch > self.options.epochs:
            raise damaged_checkpoint(self.checkpoint, ValueError("it is beyond the last epoch"))
        self.epoch, self.batch, self.step, self.images = saved.epoch, saved.batch, saved.step, saved.images
        self.loss, self.images_of_epoch, self.seconds = saved.loss, saved.images_of_epoch, saved.seconds
        self.history = saved.history
        if self.history:
            self.score = HeldOutScore(self.history[-1].tar, self.history[-1].far)
        try:
            self.model.load_state_dict(saved.tensors)
            for name, buffer in saved.momentum.items():
                parameter = self.parameters[name]
                self.optimiser.state[parameter]["momentum_buffer"] = torch.empty_like(parameter.detach()).copy_(buffer)
            if self.scaler.is_enabled():
                self.scaler.load_state_dict(saved.scaler)
            if self.batch:
                self.sampler.load_state_dict(to_arrays(saved.sampler_at_draw))
                self._draw()
                if self.batch > len(self.batches):
                    raise ValueError("it is beyond the end of its epoch")
            self.sampler.load_state_dict(to_arrays(saved.sampler))
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise damaged_checkpoint(self.checkpoint, error) from error

    def _share_buffers(self) -> None:
        """Give all processes the first one's buffers: statistics of batch normalisation differ between them."""
        for buffer in self.model.buffers():
            self.processes.copy_from_first(buffer)


def _seed_of_step(seed: int, step: int, rank: int) -> int:
    """Return the seed of one step's random numbers. They need no state in checkpoints, and differ between processes."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])
