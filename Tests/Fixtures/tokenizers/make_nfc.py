"""Make nfc.json, random strings and their normalization form C, and nfkc.json, others and their forms D, KC and KD.

Usage: python make_nfc.py        (writes beside itself; made with Python 3.11.7, Unicode 14.0; seed 7)
"""

import json
import os
import random
import unicodedata

draw = random.Random(7)
scalars = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
marks = [c for c in scalars if unicodedata.combining(c)]
decomposable = [c for c in scalars if unicodedata.decomposition(c)[:1] not in ("", "<")]
parts = sorted({p for c in decomposable for p in unicodedata.normalize("NFD", c)})
beyond = [c for c in marks + decomposable + parts if ord(c) > 0xFFFF]
hangul = [chr(i) for i in range(0x1100, 0x1200)] + [chr(i) for i in range(0xAC00, 0xD7A4, 97)]
assigned = [c for c in scalars if unicodedata.category(c) not in ("Cn", "Co", "Cc")]
# A base beyond U+FFFF before a mark, whose low 16 bits compose with it.
truncated = [chr(0x10000 + ord(c)) for c in parts if ord(c) < 0x10000 and unicodedata.category(chr(0x10000 + ord(c))) != "Cn"]
POOLS = [marks, decomposable, parts, beyond, hangul, assigned, truncated, list("aeouAEOUç ")]

# Bases beyond U+FFFF, marks of several classes in one decomposition, Hangul beside others.
CASES = [
    "\U00010413\u0301", "\U00010041\u0301", "\U00020065\u0301", "\U0002304b\u3099", "\U0001d15e\u0323",
    "\U00011131\U00011127", "\U00011100\u1161", "\U0001f600\u0301", "\U00010904\u0308", "\u0302\u0f75",
    "\u0f73\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8", "\uac00\u11a7", "\u1100\u0301\u1161", "e\u0323\u0301",
    "\u212b\u0323", "\u0958", "\u09c7\u09be",
]


# What the forms KC and KD change: ligatures, widths, circles, Hangul for compatibility, a decomposition of 18 scalars.
compatible = [c for c in scalars if unicodedata.decomposition(c).startswith("<")]
COMPATIBLE_CASES = ["\ufb01\u0301", "\uff76\uff9e", "\u3331", "\ufdfa", "\u1e9b\u0323", "\u3131\u314f", "\u2460\u20dd", "\u00a0\u0308x",
                    "\u0f77\u0f71", "\uffa1\uffc2", "\u01c4\u030c", "\U0001d7d8\U0001d400\u0301", "\u2126\u0345"]


def text(draw=draw, pools=POOLS):
    return "".join(draw.choice(draw.choice(pools)) for _ in range(draw.randint(1, 8)))


if __name__ == "__main__":
    strings = CASES + [text() for _ in range(400)]
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "nfc.json"), "w") as file:
        json.dump([[s, unicodedata.normalize("NFC", s)] for s in strings], file, ensure_ascii=True, indent=0)
    other = random.Random(8)
    strings = COMPATIBLE_CASES + [text(other, POOLS + [compatible] * 8) for _ in range(200)]
    forms = [[s] + [unicodedata.normalize(form, s) for form in ["NFD", "NFKC", "NFKD"]] for s in strings]
    with open(os.path.join(folder, "nfkc.json"), "w") as file:
        json.dump(forms, file, ensure_ascii=True, indent=0)
