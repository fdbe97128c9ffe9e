"""Words of a source put into the sandbox's own terms: topics, languages, regions, ages, genders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from sandbox.base.catalogue import AGE_BANDS, GENDERS, LANGUAGES, REGIONS
from sandbox.base.features import N_TOPICS

OTHER = "other"
UNKNOWN = -1  # code of what a source does not say

_LANGUAGE_NAMES = {
    "english": "en", "eng": "en", "german": "de", "deutsch": "de", "ger": "de", "deu": "de",
    "french": "fr", "fra": "fr", "fre": "fr", "spanish": "es", "spa": "es", "portuguese": "pt",
    "por": "pt", "turkish": "tr", "tur": "tr", "polish": "pl", "pol": "pl",
}  # fmt: skip
_REGION_NAMES = {
    "US": "us usa united_states united_states_of_america america",
    "US-CA": "us-ca usca california",
    "UK": "uk gb gbr united_kingdom great_britain england scotland wales",
    "CA": "ca can canada",
    "BR": "br bra brazil brasil",
    "AU": "au aus australia",
    "EU": "eu europe european_union at be bg hr cy cz dk ee fi fr de gr hu ie it lv lt lu mt nl pl pt "
    "ro sk si es se deu fra ita esp nld pol prt swe dnk fin aut bel irl grc germany france italy "
    "spain netherlands poland portugal sweden denmark finland austria belgium ireland greece hungary "
    "czechia romania bulgaria croatia slovakia slovenia estonia latvia lithuania luxembourg malta",
}
_REGION_OF = {word: code for code, words in _REGION_NAMES.items() for word in words.split()}
_GENDER_OF = {
    "f": "f", "female": "f", "w": "f", "woman": "f", "women": "f", "m": "m", "male": "m", "man": "m",
    "men": "m", "x": "x", "other": "x", "nonbinary": "x", "non-binary": "x", "nb": "x", "diverse": "x",
}  # fmt: skip
_AGE_FROM = (13, 18, 25, 35, 45, 55)  # first year of each band after "unknown"


def topic_slots(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names of the slots in use, most frequent first, and float32 [items, N_TOPICS] shares.

    A text lists topics separated by |, ; or , (the first of these that the column uses). More than
    N_TOPICS topics: the last slot takes the rest, as "other". An item without a topic has a row of 0.
    """
    lists = _topic_lists(texts)
    counts = Counter(topic for topics in lists for topic in topics)
    names = [name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    if len(names) > N_TOPICS:
        names = [*[n for n in names if n.casefold() != OTHER][: N_TOPICS - 1], OTHER]
    slot = {name: place for place, name in enumerate(names)}
    shares = np.zeros((len(texts), N_TOPICS), dtype=np.float32)
    for row, topics in enumerate(lists):
        for topic in topics:
            shares[row, slot.get(topic, len(names) - 1)] += 1 / len(topics)
    return names, shares


def without_slot(texts: Sequence[str], names: Sequence[str]) -> int:
    """Of the texts, how many list a topic that is not among the names."""
    known = set(names)
    return sum(any(topic not in known for topic in topics) for topics in _topic_lists(texts))


def _topic_lists(texts: Sequence[str]) -> list[list[str]]:
    separator = next((s for s in "|;," if sum(s in text for text in texts) > 0.01 * len(texts)), None)
    return [_topics_of(text, separator) for text in texts]


def _topics_of(text: str, separator: str | None) -> list[str]:
    parts = text.strip("[](){} ").split(separator) if separator else [text]
    clean = (part.strip(" \"'")[:60] for part in parts)
    return list(dict.fromkeys(part for part in clean if part))


def language(text: str) -> int:
    """Code into LANGUAGES: "en", "en-GB", "English"; "xx" for other languages; UNKNOWN for none."""
    word = text.strip().casefold()
    if not word:
        return UNKNOWN
    short = _LANGUAGE_NAMES.get(word, re.split(r"[-_]", word)[0])
    return LANGUAGES.index(short if short in LANGUAGES else "xx")


def region(text: str) -> int:
    """Code into REGIONS, by country code or English name; UNKNOWN for others."""
    word = re.sub(r"\s+", "_", text.strip().casefold())
    return REGIONS.index(_REGION_OF[word]) if word in _REGION_OF else UNKNOWN


def gender(text: str) -> int:
    """Code into GENDERS, 0 (unknown) for what is not understood."""
    return GENDERS.index(_GENDER_OF.get(text.strip().casefold(), "unknown"))


def age_band(text: str, year_now: int) -> int:
    """Code into AGE_BANDS of an age, a band ("25-34") or a year of birth; 0 (unknown) for others."""
    match = re.search(r"\d+", text)
    if not match:
        return 0
    age = int(match.group()[:9])
    age = year_now - age if 1900 <= age <= year_now else age
    if age > 120:
        return 0
    band = AGE_BANDS[1]  # whoever says less than 13 is still a minor
    for start, name in zip(_AGE_FROM, AGE_BANDS[1:], strict=True):
        band = name if age >= start else band
    return AGE_BANDS.index(band)
