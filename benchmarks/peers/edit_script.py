"""RapidFuzz's edit script of pairs of token sequences: the peer of keystep's alignment.

The pairs are drawn as those of `keystep-bench edit-script`: random token ids, a share of them replaced on one side.
Each sequence becomes a string of one character a token ahead of the clock, which RapidFuzz reads faster than a list.
One JSON line: the median microseconds a pair, over rounds, and the mean distance.
"""
import argparse
import json
import random
import resource
import statistics
import time

from rapidfuzz.distance import Levenshtein


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=125, help="tokens of each side")
    parser.add_argument("--changed", type=float, default=0.45, help="the share of tokens that are replaced")
    options = parser.parse_args()
    draw = random.Random(1)
    pairs = []
    for _ in range(200):
        right = [draw.randrange(49152) for _ in range(options.length)]
        wrong = [draw.randrange(49152) if draw.random() < options.changed else token for token in right]
        pairs.append(("".join(map(chr, right)), "".join(map(chr, wrong))))
    microseconds = []
    for _ in range(21):
        start = time.perf_counter()
        for a, b in pairs:
            Levenshtein.editops(a, b)
        microseconds.append((time.perf_counter() - start) / len(pairs) * 1e6)
    print(json.dumps({
        "microseconds_median": statistics.median(microseconds),
        "distance_mean": statistics.mean(Levenshtein.distance(a, b) for a, b in pairs),
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


if __name__ == "__main__":
    main()
