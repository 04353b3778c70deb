"""Sums of clusters: equal to float64 sums of all points, whatever the points are stored as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceclust.cluster.distances import ClusterMeans


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("offsets", [False, True])
def test_clusters_of_a_mapped_file_equal_sums_in_float64(tmp_path: Path, dtype: type, offsets: bool) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(1, 1, (5000, 24)).astype(dtype)
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    added = rng.normal(size=5000) if offsets else None
    means = ClusterMeans(mapped, added)
    sums = points.astype(np.float64) - means.centre
    squares = (sums**2).sum(axis=1) + (0 if added is None else added - added.min())
    assert means.points is mapped and np.array_equal(means.sums(np.arange(5000)), sums)
    assert np.abs(means.centre - points.astype(np.float64).mean(axis=0)).max() < 0.1
    living = np.arange(5000)
    for _ in range(8):  # until a few large clusters are left
        living = rng.permutation(living)
        into, others = np.sort(living.reshape(2, -1), axis=0) if len(living) % 2 == 0 else living[:-1].reshape(2, -1)
        means.merge(into, others)
        sums[into] += sums[others]
        squares[into] += squares[others]
        living = np.setdiff1d(living, others)
    sizes = means.sizes[living]
    assert np.array_equal(means.sums(living), sums[living]) and sizes.sum() == 5000
    a, b = living[:-1], living[1:]
    expected = squares[a] / means.sizes[a] + squares[b] / means.sizes[b]
    expected -= 2 * (sums[a] * sums[b]).sum(axis=1) / (means.sizes[a] * means.sizes[b])
    assert np.abs(means.pair_distances(a, b) - expected).max() <= 2 * means.distance_step
    products = (means.probes(a) * means.targets(b)).sum(axis=1)
    assert np.abs(products - expected).max() <= means.float32_error


def test_a_merged_group_equals_merging_one_by_one() -> None:
    points = np.random.default_rng(2).normal(size=(9000, 5)).astype(np.float32)
    group = np.arange(3, 9000, 2)
    means, single = ClusterMeans(points), ClusterMeans(points)
    means.merge_group(group[::-1])
    for other in group[1:].tolist():
        single.merge(group[:1], np.array([other]))
    assert np.array_equal(means.sums(group[:1]), single.sums(group[:1]))
    assert means.sizes[3] == len(group) and np.allclose(means.scatter()[3], points[group].var(axis=0).sum())
