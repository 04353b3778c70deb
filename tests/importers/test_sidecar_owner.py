from __future__ import annotations

import pytest

from faceclust.importers.sidecar_owner import PhotoLookup


@pytest.mark.parametrize(
    ("photos", "sidecar", "owners"),
    [
        ("IMG_1.JPG img_1.jpg", "IMG_1.JPG.xmp", "IMG_1.JPG"),
        ("IMG_1.JPG img_1.jpg", "img_1.jpg.XMP", "img_1.jpg"),
        ("IMG_1.JPG img_1.jpg", "Img_1.jpg.xmp", "IMG_1.JPG img_1.jpg"),
        ("IMG_1.JPG img_1.jpg", "img_1.xmp", "img_1.jpg"),
        ("img_1.jpg", "IMG_1.JPG.xmp", "img_1.jpg"),
        ("A/x.jpg a/x.jpg", "a/X.jpg.xmp", "a/x.jpg"),
        ("IMG_1.JPG IMG_1.png", "IMG_1.xmp", "IMG_1.JPG IMG_1.png"),
        ("IMG_1.JPG IMG_1.png IMG_1.CR2", "IMG_1.xmp", "IMG_1.CR2"),
        ("IMG_1.DNG IMG_1.png IMG_1.CR2", "IMG_1.xmp", "IMG_1.CR2 IMG_1.DNG IMG_1.png"),
        ("IMG_1.JPG IMG_1.cr2", "IMG_1.JPG.xmp", "IMG_1.JPG"),
        ("IMG_1 IMG_1.CR2", "IMG_1.xmp", "IMG_1.CR2"),
        ("IMG_1 IMG_1.jpg", "IMG_1.xmp", "IMG_1 IMG_1.jpg"),
        ("IMG_1", "IMG_1.xmp", "IMG_1"),
        ("my.photo.jpg my.photo", "my.photo.xmp", "my.photo"),
        ("my.photo.jpg", "my.photo.xmp", "my.photo.jpg"),
        ("a.jpg a.jpg.jpg", "a.jpg.xmp", "a.jpg"),
        ("b/a.jpg", "a.xmp", ""),
        ("Zoe\u0308.jpg", "Zo\u00eb.jpg.xmp", "Zoe\u0308.jpg"),
        ("Zo\u00eb.jpg", "ZOE\u0308.xmp", "Zo\u00eb.jpg"),
        ("e\u0301/a.jpg E/a.jpg", "\u00e9/a.jpg.xmp", "e\u0301/a.jpg"),
        ("Zoe\u0308.jpg Zo\u00eb.jpg", "Zo\u00eb.jpg.xmp", "Zo\u00eb.jpg"),
        ("Zoe\u0308.jpg zoe\u0308.jpg", "Zo\u00eb.jpg.xmp", "Zoe\u0308.jpg"),
        ("a.jpg", ".xmp", ""),
    ],
)
def test_the_photo_of_a_sidecar(photos: str, sidecar: str, owners: str) -> None:
    for order in (photos.split(), photos.split()[::-1]):
        assert list(PhotoLookup(order).find_by_sidecar(sidecar)) == owners.split()


def test_another_case_counts_only_if_unambiguous() -> None:
    owners = PhotoLookup(["2019/A.jpg", "2019/a.jpg", "2019/b.jpg"])
    assert list(owners.find_by_name("2019/A.jpg")) == ["2019/A.jpg"] and list(owners.find_by_name("2019/B.JPG")) == [
        "2019/b.jpg"
    ]
    assert list(owners.find_by_name("2019/A.JPG")) == ["2019/A.jpg", "2019/a.jpg"] and not owners.find_by_name("A.jpg")
