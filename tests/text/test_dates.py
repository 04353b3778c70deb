"""Dates as cameras, programs and file names write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from faceclust.text.dates import parse_date, parse_name_date

NOON = datetime(2019, 5, 17, 12, 34, 56)
DAY = datetime(2019, 5, 17)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:05:17 12:34:56", NOON),
        ("2019-05-17 12:34:56", NOON),
        ("2019/05/17 12:34:56", NOON),
        ("2019:05:17T12:34:56", NOON),
        ("2019-05-17T12:34:56", NOON),
        ("2019:05:17 12.34.56", NOON),
        ("20190517123456", NOON),
        ("20190517 123456", NOON),
        ("20190517T123456Z", NOON),
        ("2019:05:17 12:34:56.123", NOON),
        ("2019:05:17 12:34:56+02:00", NOON),
        ("2019:05:17 12:34:56Z", NOON),
        ("2019-05-17T12:34:56-0700", NOON),
        ("2019:05:17 12:34:56 PM", NOON),
        ("2019:05:17 12:34:56\0\0", NOON),
        (" 2019:05:17 12:34:56", NOON),
        ("Fri May 17 12:34:56 2019", NOON),
        ("Fri, 17 May 2019 12:34:56 +0200", NOON),
        ("2019:05:17 12:34:60", NOON.replace(second=59)),
        ("2019:05:17 1:34:56 PM", NOON.replace(hour=13)),
        ("2019:05:17 12:34:56 AM", NOON.replace(hour=0)),
        ("2019:05:17 0:34:56", NOON.replace(hour=0)),
        ("2019:05:17 12:34", NOON.replace(second=0)),
        ("2019-05-17T12:34+02:00", NOON.replace(second=0)),
        ("2019: 5:17  9: 3: 1", datetime(2019, 5, 17, 9, 3, 1)),
        ("2019:5:17 9:3:1", datetime(2019, 5, 17, 9, 3, 1)),
        ("2019:05:17", DAY),
        ("2019-05-17", DAY),
        ("20190517", DAY),
        *(
            (text, None)
            for text in (
                "", "2019", "2019-05", "0000:00:00 00:00:00", "2019:00:00 00:00:00", "2019:05:00 00:00:00",
                "2019:02:30 12:00:00", "2019:05:17 24:00:00", "2019:05:17 12:60:00", "2019:05:17 12:34:567",
                "9999:12:31 23:59:59", "1825:12:31 00:00:00", "    :  :     :  :  ", "05/17/2019", "17.05.2019",
                "2019:05-17 12:34:56", "1558096496", "noon", "May", "17 May 19 12:34:56",
                "17 May 20190000000000000 12:34:56", "٢٠١٩:05:17",
            )
        ),
    ],
)  # fmt: skip
def test_dates_are_parsed_if_unambiguous(text: str, expected: datetime | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            (name, NOON)
            for name in (
                "PXL_20190517_123456789", "PXL_20190517_123456789.PORTRAIT", "IMG_20190517_123456",
                "VID_20190517_123456", "MVIMG_20190517_123456", "Screenshot_20190517-123456",
                "Screenshot_20190517-123456_Maps",
                "Screenshot 2019-05-17 at 12.34.56", "Screen Shot 2019-05-17 at 12.34.56 PM",
                "Bildschirmfoto 2019-05-17 um 12.34.56", "Capture d’écran 2019-05-17 à 12.34.56",
                "signal-2019-05-17-123456", "signal-2019-05-17-12-34-56-123", "photo_2019-05-17_12-34-56",
                "WhatsApp Image 2019-05-17 at 12.34.56", "2019-05-17 12.34.56", "2019-05-17 12.34.56-1",
                "20190517_123456", "20190517_123456(0)", "20190517123456", "20190517T123456", "IMG20190517123456",
                "00000IMG_00000_BURST20190517123456789_COVER",
            )
        ),
        ("Screen Shot 2019-05-17 at 1.34.56 PM", NOON.replace(hour=13)),
        *((name, DAY) for name in ("IMG-20190517-WA0001", "VID-20190517-WA0001", "2019-05-17 Birthday", "2019-05-17")),
        *(
            (name, None)
            for name in (
                "DSC_0001", "20190517", "12345678", "IMG_2019", "IMG_20191399_123456", "FB_IMG_1558096496000",
                "20100512_10153000000000_123_n", "120190517_1234567", "a2019-05-17", "2019-05-17 to 2019-05-20",
                "IMG_20190517_123456 copy of IMG_20180101_000000", "Scan_20190517_123456",
                "CamScanner 2019-05-17 12.34.56",
                "2019", "1234-05-17", "IMG_30190517_123456", "3019-05-17", "",
            )
        ),
    ],
)  # fmt: skip
def test_dates_in_file_names(name: str, expected: datetime | None) -> None:
    assert parse_name_date(f"{name}.jpg") == expected
