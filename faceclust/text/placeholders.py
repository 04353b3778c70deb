"""Recognise what programs and people write as the name of somebody unknown.

Such a word on many faces would make one person of strangers. The words are digiKam's tags Unknown, Unconfirmed
and Ignored in its languages, and what other programs and people write in their place.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

#: Words and phrases that stand for nobody, by language.
_NOBODY = {
    "en": "unknown, unconfirmed, ignored, ignore, unnamed, untagged, unidentified, unrecognized, unrecognised, nobody,"
    " noone, no one, stranger, strangers, anonymous, noname, nameless, no name, not named, not tagged, not identified,"
    " to be identified, add name, add a name, who, who is this, whos this, n n, none, null, undefined, tbd",
    "de": "unbekannt, unbekannte, unbekannter, unbekanntes, unbestätigt, ignoriert, unbenannt, namenlos, niemand,"
    " fremder, fremde, anonym, ohne name, ohne namen, kein name, nicht benannt, nicht erkannt, nicht zugeordnet,"
    " nicht identifiziert, wer ist das, name hinzufügen",
    "fr": "inconnu, inconnue, inconnus, inconnues, non confirmé, non confirmée, ignoré, ignorée, sans nom, anonyme,"
    " non identifié, non identifiée, non nommé, personne inconnue, qui est ce, ajouter un nom",
    "es": "desconocido, desconocida, desconocidos, sin confirmar, no confirmado, ignorado, ignorada, sin nombre, nadie,"
    " anónimo, no identificado, sin identificar, añadir nombre",
    "pt": "desconhecido, desconhecida, desconhecidos, não confirmado, sem nome, ninguém, não identificado",
    "it": "sconosciuto, sconosciuta, sconosciuti, non confermato, ignorato, ignorata, senza nome, nessuno, ignoto,"
    " ignota, anonimo, non identificato",
    "ca": "desconegut, desconeguda, sense nom",
    "ro": "necunoscut, necunoscută, neconfirmat, ignorat, fără nume",
    "nl": "onbekend, onbekende, onbevestigd, genegeerd, naamloos, geen naam, zonder naam, niemand, niet bevestigd,"
    " anoniem",
    "sv": "okänd, okända, obekräftad, ignorerad, namnlös, utan namn, inget namn, ingen",
    "nb": "ukjent, ukjente, ubekreftet, ignorert, navnløs, uten navn, ingen navn",
    "da": "ukendt, ukendte, ubekræftet, ignoreret, unavngivet, uden navn, intet navn",
    "is": "óþekkt, óþekktur",
    "fi": "tuntematon, vahvistamaton, ohitettu, nimetön, ei nimeä, ei kukaan",
    "et": "tundmatu, nimetu",
    "lv": "nezināms, nezināma",
    "lt": "nežinomas, nežinoma",
    "pl": "nieznany, nieznana, nieznane, niepotwierdzony, niepotwierdzone, ignorowany, ignorowane, zignorowane,"
    " bez nazwy, bez imienia, nikt, anonim",
    "cs": "neznámý, neznámá, neznámé, neznámí, nepotvrzeno, nepotvrzený, ignorováno, ignorovaný, beze jména,"
    " bez jména, nikdo",
    "sk": "neznámy, neznáma, nepotvrdené, ignorované, bez mena",
    "hu": "ismeretlen, megerősítetlen, mellőzött, névtelen, senki",
    "hr": "nepoznat, nepoznata, nepoznato, nepotvrđeno, bez imena",
    "sl": "neznan, neznana, neznano, nepotrjeno",
    "tr": "bilinmeyen, bilinmiyor, onaylanmamış, doğrulanmamış, yok sayıldı, isimsiz, adsız, kimse, hiç kimse",
    "el": "άγνωστος, άγνωστη, άγνωστο, χωρίς όνομα, κανένας",
    "ru": "неизвестно, неизвестный, неизвестная, неизвестное, неизвестные, неизвестен, неподтверждённый,"
    " неподтверждённое, неподтверждённые, не подтверждено, игнорируемый, игнорируемые, игнорировать, без имени,"
    " безымянный, безымянная, никто, незнакомец, аноним, не указано, не определено",
    "uk": "невідомо, невідомий, невідома, невідоме, непідтверджено, проігноровано, без імені, ніхто",
    "bg": "неизвестна, непознат, непозната",
    "sr": "непознато",
    "zh": "未知, 未命名, 未识别, 未識別, 未确认, 未確認, 已忽略, 忽略, 无名, 無名, 无名氏, 無名氏, 陌生人, 路人, 不详,"
    " 不詳, 没有名字, 無人, 无人, 未知人物, 未知的人, 未识别人物, 不明人物",
    "ja": "不明, 名前なし, 名無し, 名称未設定, 無視, 未登録, 名前を追加, 誰, 不明な人物, 不明な人, 知らない人",
    "ko": "알 수 없음, 알수없음, 이름 없음, 이름없음, 미확인, 무시됨, 모름, 미상, 무명, 이름 추가",
    "ar": "مجهول, مجهولة, غير معروف, غير معروفة, غير مؤكد, لا أحد, لااحد, بدون اسم, بلا اسم, غير مسمى, متجاهل",
    "he": "לא ידוע, לא ידועה, אלמוני, אלמונית, ללא שם, לא מוכר, אף אחד",
    "fa": "ناشناس, ناشناخته, نامشخص, بدون نام, بی نام, هیچکس",
    "hi": "अज्ञात, अनजान, बिना नाम",
    "th": "ไม่ทราบ, ไม่รู้จัก, ไม่มีชื่อ, ไม่ระบุชื่อ",
    "vi": "không rõ, không biết, không xác định, vô danh, chưa đặt tên, không có tên",
    "id": "tidak dikenal, tak dikenal, tidak diketahui, tanpa nama",
}
#: Words for what has a number instead of a name: "Person 12".
_NUMBERED = (
    "person persona personne personas personen persons people face faces gesicht gesichter visage visages viso volti"
    " rosto persoon personer gezicht ansikt ansikte ansigt kasvot henkilö osoba osoby twarz tvář kişi yüz лицо человек"
    " персона особа πρόσωπο 人物 人 顔 脸 臉 面孔 얼굴 사람 인물 شخص وجه פנים אדם group gruppe groupe grupo gruppo"
    " cluster contact contacto kontakt"
)
#: Words that may stand beside one for nobody: "an unknown woman", "Unbekannte Person".
_COMPANIONS = (
    "a an the ein eine un une uno una der die das man woman men women boy girl child kid baby male female frau kind"
    " mädchen junge homme femme enfant hombre mujer niño niña uomo donna bambino homem mulher мужчина женщина ребёнок"
    " name user contact"
)


#: Symbols that stand for somebody unknown; other pictures, such as an emoji, can be somebody's name.
_NO_PICTURE = "\ufffd❓❔👤👥🚫"

#: Letters and symbols that show nothing, and apostrophes.
_INVISIBLE = "\u115f\u1160\u3164\uffa0\u2800'\u2019"


@lru_cache(maxsize=4096)
def is_placeholder_name(name: str) -> bool:
    """Does the name stand for nobody: "_UNKNOWN_", "Unbekannte Person", "未知", "Face 7", "12", "???"?

    A further word that may be a name, as in "Nobody Smith", makes it one, and so does "Face" without a number.
    """
    words = _split_words(name)
    if not words or " ".join(words) in _PHRASES or name.strip(" ()[]<>").casefold() == "n/a":
        return True
    if _NUMBERED_WORDS.issuperset(words):
        return any(map(str.isnumeric, name))
    return not _PHRASES.isdisjoint(words) and (_PHRASES | _NUMBERED_WORDS | _COMPANION_WORDS).issuperset(words)


def _split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without accents, punctuation and numbers at their ends."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(map(_plain_character, decomposed))
    words = (word.rstrip("0123456789") for word in unicodedata.normalize("NFC", plain).split())
    return [word for word in words if word and not word.isnumeric()]


def _plain_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf") or character in _INVISIBLE:
        return ""
    is_part = category[0] in "LMN" or (category == "So" and character not in _NO_PICTURE)
    return character if is_part else " "


def _words_of(text: str) -> frozenset[str]:
    return frozenset(word for part in text.split() for word in _split_words(part))


_PHRASES = frozenset(" ".join(_split_words(phrase)) for text in _NOBODY.values() for phrase in text.split(","))
_NUMBERED_WORDS, _COMPANION_WORDS = _words_of(_NUMBERED), _words_of(_COMPANIONS)
