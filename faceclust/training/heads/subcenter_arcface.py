"""Sub-center ArcFace: several centres for each class, so that mislabelled faces need not pull the main one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceclust.training.heads.arcface import ArcFace


class SubcenterArcFace(ArcFace):
    """ArcFace whose cos θ_j is the largest of the cosines with the K centres of class j.

    `centres` is (classes · K, d): rows K j to K j + K − 1 belong to class j. Only the nearest centre of a class gets a
    gradient. `faceclust.training.mislabelled` lists the faces far from the dominant centre of their class. With these
    removed, train again with `subcenters` 1, which is ArcFace.

    Source: Deng, Guo, Liu, Gong and Zafeiriou, "Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web
    Faces", ECCV 2020; eq. 25 and 26 in the survey of Wang et al., arXiv 2212.13038. K = 3 is from the authors' notes
    to their code; m = .5 and s = 64 are ArcFace's.
    """

    title = "Sub-center ArcFace"
    paper = "Deng et al. (2020), Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web Faces, §3"
    formula = "ArcFace with cos θ_j = max over K centres of cos θ_jk"

    def __init__(
        self, dimension: int, classes: int, *, subcenters: int = 3, scale: float = 64.0, margin: float = 0.5
    ) -> None:
        super().__init__(dimension, classes, scale=scale, margin=margin)
        if not 1 <= subcenters <= 100:
            raise ValueError(f"subcenters must be from 1 to 100, not {subcenters:,}")
        self.subcenters = subcenters
        if subcenters > 1:
            self.centres = nn.Parameter(torch.empty(classes * subcenters, dimension))
            nn.init.normal_(self.centres, std=0.01)

    def cosines(self, features: Tensor) -> Tensor:
        return super().cosines(features).view(-1, self.classes, self.subcenters).max(2).values
