"""Every head and every backbone learns to tell people apart that it was not trained on.

200 drawn people are little to learn from and a run is one or two epochs, so the scale of the cosine heads is 16: with
the published 64 the gradient of 200 classes vanishes before the margin does (TRAINING in the manual). What is
measured is the true accept rate over all pairs of 60 other people at a false accept rate of 10 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from faceclust.evaluation.metrics.verification import verify_all_pairs
from faceclust.training.backbones.base import Backbone
from faceclust.training.data.face_set import FaceSet
from faceclust.training.heads.base import Head
from faceclust.training.options import Setting, TrainingOptions
from faceclust.training.parts import BACKBONES, HEADS, build_backbone, build_head, default_settings, find_head
from faceclust.training.trainer import embed_faces, seed_everything, train
from tests.support.drawn_people import draw_people
