"""Choose what compares pairs of faces on this machine."""

from __future__ import annotations

from faceclust.cluster.pair_engine import PairEngine, ThreadEngine

#: With fewer faces, products of integers save less time than loading ONNX Runtime takes.
MIN_FACES_FOR_INTEGERS = 20_000
#: Threads compare fewer faces in about the time that it takes to open a GPU.
MIN_FACES_FOR_GPU = 50_000


def choose_local_engine(face_count: int, dimension: int, device: str = "auto") -> PairEngine:
    """Return the fastest engine of a device for this many faces; the result of clustering is the same for each.

    `device`: one of `packs.session.DEVICES`. "auto" is a CUDA GPU for many faces, and otherwise threads; "cpu" is
    threads. Raises PackError if the device is missing.
    """
    if device in ("auto", "cpu") and face_count < MIN_FACES_FOR_INTEGERS:
        return ThreadEngine()
    from faceclust.engines.device_pairs import DevicePairEngine  # loads the model runtime, as the next lines do
    from faceclust.engines.integer_product import find_integer_product
    from faceclust.packs.session import choose_device

    chosen = choose_device("cpu" if device == "auto" and face_count < MIN_FACES_FOR_GPU else device)
    return ThreadEngine(find_integer_product(dimension)) if chosen == "cpu" else DevicePairEngine(chosen)
