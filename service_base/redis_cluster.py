"""Rate limits in a cluster of Redis or Valkey, for ``limits``.

The storage of the library looks for the cluster when it is made, so that no process could start
while the cluster is away. This one looks for it at the first count, and again until it finds it.
"""

from __future__ import annotations

from typing import Any

from limits.storage import RedisClusterStorage, Storage
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from service_base.redis_url import CLUSTER


class ClusterCounts(Storage):
    """Each count is one key, which is on one of the servers."""

    STORAGE_SCHEME = [CLUSTER]  # noqa: RUF012 - declared so by limits

    def __init__(self, uri: str, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._uri, self._options = uri, options
        self._cluster: RedisClusterStorage | None = None

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What the client raises."""
        return RedisError, RedisClusterException

    def _found(self) -> RedisClusterStorage:
        """The cluster. Threads that look for it at the same time do not wait for each other."""
        found = self._cluster
        if found is None:
            found = self._cluster = RedisClusterStorage(
                self._uri,
                # The servers decide whether they answer without those that are lost.
                require_full_coverage=False,
                **self._options,
            )
        return found

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, which ends ``expiry`` seconds after it began."""
        return self._found().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        """The count, 0 after its end."""
        return self._found().get(key)

    def get_expiry(self, key: str) -> float:
        """When the count ends; now if there is none."""
        return self._found().get_expiry(key)

    def check(self) -> bool:
        """Whether every count can go on: each primary answers, and the cluster has all keys."""
        try:
            cluster: RedisCluster = self._found().storage
            cluster.ping(target_nodes=RedisCluster.PRIMARIES)
            return cluster.cluster_info()["cluster_state"] == "ok"
        except self.base_exceptions:
            return False

    def reset(self) -> int | None:
        """Forget everything. Returns how many counts there were."""
        return self._found().reset()

    def clear(self, key: str) -> None:
        """Forget one count."""
        self._found().clear(key)
