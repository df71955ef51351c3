"""Owners of ids among N shards, by the formula of src/series/shard.rs: writes shards.tsv beside it."""
import hashlib
import pathlib

MASK = (1 << 64) - 1
COUNTS = [1, 2, 3, 4, 7, 8, 16, 100, 10_000]
IDS = ["series", "", "a", "b", "store_1/item_1", "FOODS_1_001_CA_1", "H1", "H414", "Zürich", "東京/電力", "🚲",
       "a b c", "0", "00", "MT_320", "x" * 100]


def mix(x):
    z = (x + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def owner(unique_id, count):
    h = int.from_bytes(hashlib.sha256(unique_id.encode()).digest()[:8], "little")
    return max(range(count), key=lambda i: (mix(h ^ mix(i)), -i))


lines = ["\t".join(["unique_id", *map(str, COUNTS)])]
lines += ["\t".join([i, *(str(owner(i, n)) for n in COUNTS)]) for i in IDS]
pathlib.Path(__file__).with_name("shards.tsv").write_text("\n".join(lines) + "\n")
