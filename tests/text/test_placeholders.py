"""Words for somebody unknown are no names, in many languages; names that contain one are."""

from __future__ import annotations

import unicodedata

import pytest

from faceclust.text.placeholders import is_placeholder_name

NOBODY = """_UNKNOWN_|Unknown|Unknown 3|unknown-3|Unknown (2)|(unknown)|<unknown>|Unknown person|an unknown woman
Unnamed Person|Not named|no name|No-Name|noname|n/a|N/A|nobody|No one|stranger|Ignored|Unconfirmed|Who is this?
Unbekannt|Unbekannte Person 2|Ignoriert|Unbestätigt|Inconnu|Inconnue|Personne inconnue|Ignoré|Desconocido
Sconosciuto|Onbekend|Okänd|Ukjent|Ukendt|Tuntematon|Nieznany|Neznámý|NEZNAMY|Bilinmeyen|BİLİNMEYEN|ΑΓΝΩΣΤΟΣ
Неизвестно|Неизвестный|未知|不明|未命名|未知人物|알 수 없음|لا أحد|अज्ञात|ไม่ทราบ
Person 12|person_12|Face 7|face7|人物 3|#3|12|3.5|１２|2019-05-17|?|???|-|…|\ufffd\ufffd|❓|👤|\u3164|\u200b"""
NAMES = """Nobody Smith|Will Stranger|Unknown friend of Anna|Face|Person|Anna|Anna 2|Cara 2|Kind 2|X|Na|Nan|Nil
N.A.|Ludwig 14|Louis XIV|R2D2|Frau Müller|山田太郎|김하나|李无名|👶|☺|0123456789abcdef"""


def split(text: str) -> list[str]:
    return [word for line in text.splitlines() for word in line.split("|")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", split(NOBODY))
def test_a_word_for_nobody(name: str, form: str) -> None:
    assert is_placeholder_name(unicodedata.normalize(form, name))


@pytest.mark.parametrize("name", split(NAMES))
def test_a_name(name: str) -> None:
    assert not is_placeholder_name(name)
