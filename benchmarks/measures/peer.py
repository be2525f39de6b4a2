"""What ours takes for what the peers are asked, and the floor."""

import sys

from benchmarks.data import DEFAULT, Rules
from benchmarks.floor import floor_for
from benchmarks.measures.get import check, loaded, loops_of
from benchmarks.peers.subject import STRANGER, targeted
from benchmarks.results import PeerResult, write_peer_results
from benchmarks.sizes import SIZES
from benchmarks.timing import per_call, repeated
from heksherlite import __version__


def main() -> None:
    """Measure, and write the results."""
    size = SIZES[sys.argv[1]]
    floors, ours = {}, {}
    for count in (1, 1000):
        values = targeted(count)
        rules: Rules = {(("user", user),): value for user, value in values.items()}
        setting, floor = loaded(rules), floor_for(rules, values)
        check(setting, floor, rules, [*values, STRANGER])
        assert setting.get(user=STRANGER) == DEFAULT
        samples = per_call(loops_of(setting, floor, "user=user"), repeated(list(values), size.calls, size.repeats))
        floors[count], ours[count] = samples["floor"], samples["ours"]
    write_peer_results([PeerResult("floor", floors, floors), PeerResult(f"heksherlite {__version__}", ours, floors)])


if __name__ == "__main__":
    main()
