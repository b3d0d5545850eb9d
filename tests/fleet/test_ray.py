"""The Ray engine on a cluster of two nodes: the same results, also when one node is lost."""

from __future__ import annotations

import time

import pytest

from codemods.fleet.engines.ray import RayEngine
from codemods.fleet.entry import Entry
from codemods.fleet.manifest import Listed
from codemods.fleet.place import Place
from codemods.fleet.run import Order, Run
from codemods.fleet.task import STAGES

from .conftest import ROOT
from .test_resume import outcome

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def cluster():
    """Start two nodes on this machine, once for both tests: it is slow."""
    ray = pytest.importorskip("ray", reason="ray is not installed (the [ray] extra)")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="this build of ray has no test clusters")
    small = {"num_cpus": 1, "object_store_memory": 10**8}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        try:
            cluster = cluster_utils.Cluster(
                initialize_head=True, head_node_args={**small, "include_dashboard": False}
            )
            cluster.second = cluster.add_node(**small)
        except Exception as error:  # Ray gives up after 30 s, which a busy machine may need
            pytest.skip(f"no Ray cluster of two nodes can be started here: {error}")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def test_the_same_results_chosen_by_one_flag(cluster, checkout, fleet, tmp_path):
    words = [*(checkout(f"fork{n}", {"pkg/own.py": f"own = {n}\n"}) for n in range(3)), "gone"]
    fleet("run", *words, "--work", "local", "--retries", 0)
    done = fleet(
        "run", *words, "--work", "ray", "--engine", "ray", "--address", cluster.address, "--retries", 0
    )
    assert done.returncode == 2, done.stderr
    assert "3 done 1 failed" in done.stderr
    assert outcome(tmp_path / "ray") == outcome(tmp_path / "local")


def test_the_loss_of_a_node_costs_no_repository(cluster, checkout, fleet, tmp_path):
    words = [checkout(f"fork{n}", {"pkg/own.py": f"own = {n}\n"}) for n in range(4)]
    fleet("run", *words, "--work", "local")

    class LosesOne:
        """Takes a node away as soon as a task has begun."""

        lost = False

        def started(self, worker, repository, stage):
            if not self.lost:
                self.lost = True
                cluster.remove_node(cluster.second, allow_graceful=False)

        def ended(self, worker, repository, outcome):
            pass

    place = Place(tmp_path / "ray")
    with place.owned() as ledger:
        ledger.list_repositories([Listed(Entry("path", str(word), word.name)) for word in words])
        engine = RayEngine(cluster.address, {})
        order = Order(STAGES[:2], place.scratch, str(place.store), retries=3)
        begun = time.monotonic()
        Run(ledger, place.results, engine, order, LosesOne()).go()
        assert time.monotonic() - begun < 300
    assert outcome(tmp_path / "ray") == outcome(tmp_path / "local")
