"""What the tests of several daemons on one Redis share."""

from support import daemon, redis

from .base import LISTS, Case


class Shared(Case):
    """`self.redis`, `self.daemons`: hosts mx1, mx2, …; self.breakwater is the first. The deadline is long, so that a loaded machine is
    no outage."""

    def shared(self, hosts=2, lists=LISTS, store=None, tcp=False, persistent=False, **more):
        self.redis = redis.Redis(self.scratch, tcp=tcp, persistent=persistent).start()
        self.addCleanup(self.redis.stop)
        self.daemons = []
        for i in range(1, hosts + 1):
            self.daemons.append(self.host(i, lists, store, **more))
        self.breakwater = self.daemons[0]
        return self.daemons

    def host(self, i, lists=LISTS, store=None, **more):
        """One more daemon, started; they have one site secret."""
        sections = {"daemon": daemon.one_secret(self.scratch, more.get("user")), "store": self.redis.section(**{"redis_deadline": "5s", **(store or {})})}
        one = daemon.Daemon(self.scratch, lists=lists, sections=sections, name=f"mx{i}", host=f"mx{i}", **more)
        self.addCleanup(one.end)
        return one.start()

    @property
    def sockets(self):
        return [d.socket for d in self.daemons]

    def at(self, i):
        """The next messages go to host i (1…)."""
        self.breakwater = self.daemons[i - 1]
        return self
